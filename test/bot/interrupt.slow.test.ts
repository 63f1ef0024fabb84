import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { reportSchema } from '../../bot/report/schema.ts'
import { openTerminal } from '../fixtures/terminal.ts'
import { testServer } from '../helper.ts'
import { forwardTo, listen } from './forward.ts'

const secondsOfRun = 6
const rightAfterSignUp = 'the first sign-up'
const aPost = 'the third post'
const moments = [...Array(secondsOfRun).keys(), rightAfterSignUp, aPost, 'the check', 'the log-outs'] as const

t.test(
  'Ctrl-C in every second of a run: 130, checked, reports written, logged out',
  { timeout: 450_000 },
  async (t) => {
    const { url, db } = await testServer(t)
    const forward = forwardTo(url)
    const folder = t.testdir()
    for (const [n, moment] of moments.entries()) {
      let isChecking = false
      let posts = 0
      let press = () => {}
      const proxy = createServer(async (request, response) => {
        const { method, url = '' } = request
        if (method === 'POST' && url === '/v1/posts') posts += 1
        isChecking ||= url.startsWith('/v1/posts?limit=100')
        const isDue =
          (moment === 'the check' && isChecking) ||
          (moment === 'the log-outs' && isChecking && method === 'DELETE') ||
          (moment === aPost && posts === 3) ||
          (moment === rightAfterSignUp && url === '/v1/session' && method === 'GET')
        if (isDue) press()
        // The signal arrives before the answer does.
        if (isDue) await sleep(500)
        forward(request, response)
      })
      const base = `http://127.0.0.1:${await listen(t, proxy)}`
      const [json, html, ledger] = ['json', 'html', 'ledger'].map((name) => join(folder, `${n}.${name}`))
      const isTimed = typeof moment === 'number'
      const time = isTimed || moment === aPost ? '10m' : '2s'
      const args = ['--url', base, '--robots', '2', '--for', time, '--ledger', ledger ?? '']
      const files = ['--json', json ?? '', '--report', html ?? '']
      const terminal = openTerminal(t, [process.execPath, 'bot/index.ts', ...args, ...files])
      press = () => {
        terminal.pressCtrlC()
        press = () => {}
      }
      await terminal.shows(/seed \d+/)
      if (isTimed) {
        await sleep(moment * 1_000)
        press()
      }
      const { code, out } = await terminal.ended
      t.equal(code, 130, `${moment}: ${out}`)
      const report = reportSchema.parse(JSON.parse(await readFile(json ?? '', 'utf8')))
      t.equal(report.run.interrupted, 'SIGINT', `${moment}: the report`)
      t.same(report.check.findings, [], `${moment}: no contradiction`)
      if (moment === aPost) t.equal(report.check.verdict, 'agrees', 'what was acknowledged was checked')
      t.match(await readFile(html ?? '', 'utf8'), /<html/)
      t.match(await readFile(ledger ?? '', 'utf8'), /^\{"seed":/)
      t.equal(await db.collection('sessions').countDocuments(), 0, `${moment}: logged out`)
    }
  },
)
