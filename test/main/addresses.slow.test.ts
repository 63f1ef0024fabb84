import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { password } from '../helper.ts'
import { freshFolder, root, startServer } from './server-process.ts'

const run = promisify(execFile)

t.test(
  'what a start prints works: the page from its own origin, and the bot’s command',
  { timeout: 460_000 },
  async (t) => {
    const DATA_DIR = await freshFolder(t)
    for (const [n, HOST] of ['0.0.0.0', '::', '::1', 'localhost'].entries()) {
      const server = await startServer(t, { DATA_DIR, HOST, BCRYPT_COST: '4' })
      await server.says(/Try next/)
      const [, page = ''] = await server.says(/API page +(\S+)/)
      t.equal((await fetch(page)).status, 200, page)
      const { origin } = new URL(page)
      const signUp = await fetch(`${origin}/v1/accounts`, {
        method: 'POST',
        headers: { origin, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
        body: JSON.stringify({ username: `clicked${n}`, password }),
      })
      t.equal(signUp.status, 201, `a sign-up by the page of ${page}`)
      const [, command = ''] = await server.says(/Try next +npx tsx bot (.*?) {3}/)
      const bot = `"$1" run.mjs bot/index.ts ${command} --users 1 --posts 1 --reactions 1 --replies 0`
      const { stdout } = await run('/bin/sh', ['-c', bot, 'sh', process.execPath], { cwd: root })
      t.match(stdout, /ledger agrees/, command)
      await server.kill('SIGTERM')
    }
  },
)
