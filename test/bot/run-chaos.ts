import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { eventually } from '../eventually.ts'

const root = join(import.meta.dirname, '..', '..')

/** Runs chaos with a TMPDIR of its own, and terminates it when the test ends. */
export async function runChaos(t: Test, args: string[]) {
  const TMPDIR = await mkdtemp(join(tmpdir(), 'rookery-test-'))
  const env = { ...process.env, TMPDIR, BCRYPT_COST: '4', MONGOD_BINARY: process.env.TEST_MONGOD_BINARY ?? '' }
  let out = ''
  const child = execFile(process.execPath, ['bot/chaos/main.ts', ...args], { cwd: root, env })
  child.stdout?.on('data', (chunk: string) => {
    out += chunk
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
    await rm(TMPDIR, { recursive: true, force: true, maxRetries: 3 })
  })
  return {
    child,
    TMPDIR,
    /** Waits until the output satisfies the check, or chaos has ended. */
    says: (check: (out: string) => boolean, withinMs = 60_000) =>
      eventually(() => check(out) || child.exitCode !== null, { withinMs, everyMs: 100 }),
    ended: async () => ({ code: await ended, out, left: await readdir(TMPDIR) }),
  }
}
