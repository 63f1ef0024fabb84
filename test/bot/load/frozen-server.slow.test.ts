import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { reportSchema } from '../../../bot/report/schema.ts'
import { eventually } from '../../eventually.ts'
import { freshFolder, ServerProcess } from '../../main/server-process.ts'

const seconds = 12
const frozenMs = 3_000

t.test('a server frozen for 3 of 12 s: max and p99 are those of a clock, and the silence is told', async (t) => {
  const server = new ServerProcess(t, { DATA_DIR: await freshFolder(t), BCRYPT_COST: '4' })
  const url = await server.ready()
  const args = [
    'bot/index.ts',
    '--url',
    url,
    '--only',
    'read-post',
    '--rate',
    '200',
    '--for',
    `${seconds}s`,
    '--json',
    '-',
  ]
  let progress = ''
  const ended = new Promise<string>((resolve) => {
    const bot = execFile(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 }, (_error, stdout) => resolve(stdout))
    bot.stderr?.on('data', (text) => {
      progress += text
    })
  })
  await eventually(() => /^\d+:\d\d; [1-9]/m.test(progress))
  server.child.kill('SIGSTOP')
  await sleep(frozenMs)
  server.child.kill('SIGCONT')

  const { total, silences, errors } = reportSchema.parse(JSON.parse(await ended))
  t.strictSame(errors, [])
  t.equal(total.count, seconds * 200)
  t.ok((total.latency.max ?? 0) >= frozenMs * 0.97, `max ${total.latency.max}`)
  // Those in the 3 s wait from 3 s down to 0, evenly: one in a hundred of 12 s waits longer than 3 s less 0.12 s.
  const p99 = frozenMs - 0.01 * seconds * 1_000
  t.ok((total.latency.p99 ?? 0) >= p99 * 0.97, `p99 ${total.latency.p99}`)
  t.ok(
    silences.some(({ seconds }) => seconds >= (frozenMs / 1_000) * 0.97),
    JSON.stringify(silences),
  )
})
