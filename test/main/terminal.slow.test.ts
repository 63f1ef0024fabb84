import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { openTerminal } from '../fixtures/terminal.ts'
import { freshFolder, nothingRuns, startServer } from './server-process.ts'
import { sendSignUp } from './unfinished-request.ts'

/** At different times: the copies of npm and tsx arrive up to a second later. */
const pause = () => sleep(randomInt(50, 700))

const servers = {
  'npm start': { command: ['npm', 'start'], listens: /Try next/ },
  'npm run services': { command: ['npm', 'run', 'services'], listens: /in front of two services/ },
}

for (const [name, { command, listens }] of Object.entries(servers))
  t.test(`one Ctrl-C on ${name}: what runs is answered, and it exits with 0`, { timeout: 460_000 }, async (t) => {
    const folder = await freshFolder(t)
    for (const round of [1, 2]) {
      const port = await findFreePort()
      const terminal = openTerminal(t, command, { DATA_DIR: folder, PORT: String(port), BCRYPT_COST: '13' })
      await terminal.shows(listens)
      const begun = await sendSignUp(t, `http://127.0.0.1:${port}`, `begun${round}`)
      terminal.pressCtrlC()
      t.match(await begun.reads(/^HTTP\/1.1 201/), 'HTTP/1.1 201', `round ${round}`)
      const { code, out } = await terminal.ended
      t.equal(code, 0, `round ${round}`, { out })
      t.ok(await nothingRuns(folder))
    }
  })

async function pressDuring(t: Test, command: string[], moment: RegExp, verdict: RegExp, env: NodeJS.ProcessEnv = {}) {
  const terminal = openTerminal(t, command, env)
  await terminal.shows(moment)
  await pause()
  terminal.pressCtrlC()
  const { code, out } = await terminal.ended
  t.match(out, verdict, command.join(' '))
  t.equal(code, 130, command.join(' '), { out })
}

t.test('one Ctrl-C on the bot: it prints its verdict and exits with 130', { timeout: 460_000 }, async (t) => {
  const { url } = await startServer(t, { DATA_DIR: await freshFolder(t), BCRYPT_COST: '4' })
  const crowd = ['--posts', '1000', '--url', url]
  for (const users of ['10', '150'])
    await pressDuring(t, ['npx', 'tsx', 'bot', ...crowd, '--users', users], /day: [1-9]\d/, /ledger agrees: /)
})

t.test('a second Ctrl-C ends the bot at once', { timeout: 460_000 }, async (t) => {
  const { url } = await startServer(t, { DATA_DIR: await freshFolder(t), BCRYPT_COST: '4' })
  const terminal = openTerminal(t, ['npx', 'tsx', 'bot', '--posts', '1000', '--users', '1000', '--url', url])
  await terminal.shows(/day: \d/)
  terminal.pressCtrlC()
  await terminal.shows(/press Ctrl-C again/)
  await sleep(1_100)
  terminal.pressCtrlC()
  const { code, out } = await terminal.ended
  t.equal(code, 130)
  t.notMatch(out, /ledger/)
})

t.test('one Ctrl-C on the demo or chaos: verdict, exit 130, nothing left', { timeout: 460_000 }, async (t) => {
  const TMPDIR = await freshFolder(t)
  const crowd = ['--posts', '1000', '--users', '20']
  await pressDuring(t, ['npm', 'run', 'demo', '--', ...crowd], /day: [1-9]\d/, /ledger agrees: /, { TMPDIR })
  t.ok(await nothingRuns(TMPDIR))
  const chaos = ['npm', 'run', 'chaos', '--', '--processes', '2', '--pause', '600', '--', ...crowd]
  await pressDuring(t, chaos, /bot .*day: [1-9]\d/, /ledger agrees: .*Round 1 of 1 interrupted/s, { TMPDIR })
  t.ok(await nothingRuns(TMPDIR))
})
