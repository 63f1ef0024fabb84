import { stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { backOffMs } from '../../src/back-off.ts'
import { parseStartFailure, readStartFailure, rotateLog } from '../../src/embedded-mongod/log-file.ts'

const line = (s: string, msg: string, attr: object = {}) => JSON.stringify({ s, msg, attr })

test('the first error in the log is the reason why mongod exited', async (t) => {
  const failure = (log: string) => parseStartFailure(log)
  t.same(
    failure(`${line('I', 'all is well')}\n${line('E', 'terminating', { error: 'DBPathInUse: Unable to lock' })}`),
    {
      kind: 'data in use',
      message: 'another mongod uses the same data',
    },
  )
  t.equal(failure(line('E', 'Failed', { error: 'Address already in use' })).kind, 'port in use')
  const full = failure(line('E', 'WiredTiger error', { message: 'write: No space left on device' }))
  t.equal(full.message, 'the disk is full; mongod reports: WiredTiger error write: No space left on device')
  t.match(
    failure(line('F', 'Wrong version', { error: { msg: 'UPGRADE PROBLEM' } })).message,
    /another version of MongoDB/,
  )
  t.match(failure('sh: mongod: Permission denied').message, /this user has no permission.*mongod reports: sh: mongod/)
  t.equal(failure(`${line('E', 'the cause')}\n${line('F', 'what follows')}\nAborted`).message, 'the cause')
  t.equal(failure(line('I', 'nothing')).message, 'its log has no error')
})

test('log lines from before the start are ignored', async (t) => {
  const file = join(t.testdir(), 'log')
  const old = `${line('E', 'an old error')}\n`
  await writeFile(file, `${old}${line('E', 'the new error')}\n`)
  t.equal((await readStartFailure(file, Buffer.byteLength(old))).message, 'the new error')
})

test('a log of 10 MB is rotated', async (t) => {
  const file = join(t.testdir({ log: 'short' }), 'log')
  t.equal(await rotateLog(file), false)
  await truncate(file, 10_000_000)
  t.equal(await rotateLog(file), true)
  t.equal((await stat(`${file}.1`)).size, 10_000_000)
  t.equal(await rotateLog(file), false, 'a missing log is not an error')
})

test('the back-off between restarts grows to 5 s', async (t) => {
  t.same([0, 1, 2, 3, 20].map(backOffMs), [0, 100, 200, 400, 5_000])
})
