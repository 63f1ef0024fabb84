import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { idOf } from '../accounts/count-invariants.ts'
import { eventually } from '../eventually.ts'
import { makeClient, testServer } from '../helper.ts'
import { confirmReset, mailFolder, requestReset, signUpWithAddress, subjects, tokenIn } from '../mail/mailbox.ts'
import { enrol } from '../second-factor/authenticator.ts'
import { external, startCommand } from './start-command.ts'

const thiefs = 'brisk oboe fjord twelve'

t.test('an operator takes an account back from an attacker who reads the mails of its address', async (t) => {
  const box = await mailFolder(t)
  const { url, connection, db } = await testServer(t, box.env)
  const env = { ...external(connection), ...box.env, BCRYPT_COST: '4' }
  const run = async (command: string) => {
    const { code, out } = await startCommand(t, 'cli/accounts.ts', env, [command, username]).ended
    t.equal(code, 0, command)
    return out
  }
  const logIn = (password: string) =>
    makeClient(url).post<{ code?: string }>('v1/session', { json: { username, password } })

  // All of it is the attacker's.
  const { username, email, ...thief } = await signUpWithAddress(url, box)
  const account = await idOf({ username, ...thief })
  await enrol(thief.client)

  await run('suspend')
  await requestReset(url, username)
  const link = tokenIn(await box.receive(email, subjects.reset), 'reset')
  t.match(await run('remove-email'), /^The e-mail address was removed, with its links\.\nAudit log: /)
  t.match(await run('remove-email'), /^The account has no e-mail address\.\n/)
  await box.receive(email, 'Your e-mail address was removed')
  await run('reset-factors')
  const oneTime = /^ {2}(\S+)$/m.exec(await run('reset-password'))?.[1] ?? ''
  await run('unsuspend')

  t.equal((await confirmReset(url, link, thiefs)).statusCode, 401, 'the link that was sent before is void')
  await requestReset(url, username)
  await eventually(async () => (await db.collection('outbox').countDocuments()) === 0)
  const links = (await box.list()).filter(({ subject }) => subject === subjects.reset)
  t.equal(links.length, 1, 'no other link is sent')
  t.match(await run('show'), /^email {6}none$/m)
  t.equal((await logIn(oneTime)).statusCode, 200, 'the owner has the account')
  const removed = { account: toUuid(account), event: 'email-removed', userAgent: 'npm run accounts' }
  t.equal(await db.collection('activity').countDocuments(removed), 1)
})
