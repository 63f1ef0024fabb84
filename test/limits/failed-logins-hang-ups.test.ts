import { connect } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { password, testServer } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import { attemptLogin, countAttempts, expectLimited } from './login-attempts.ts'

const pair = 'failed-logins-by-account-and-address'

t.test('a client that hangs up while its password is checked is counted', { timeout: 120_000 }, async (t) => {
  // Slow enough to hang up while a password is checked.
  const { port, db, lines } = await testServer(t, {
    BCRYPT_COST: '12',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '2',
  })
  await cookieOf(port, 'Ann')
  const hangUps = () => lines.filter((line) => line.includes('"path":"/v1/session","status":499')).length
  const until = async (condition: () => Promise<boolean>, name: string) => t.resolves(eventually(condition), name)

  /** Hangs up after the attempt is consumed, just before the password is checked. */
  async function hangUp(given: string): Promise<void> {
    const body = JSON.stringify({ username: 'ann', password: given })
    const head = 'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    const [attemptsBefore, hangUpsBefore] = [await countAttempts(db, pair), hangUps()]
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    await until(async () => (await countAttempts(db, pair)) > attemptsBefore, 'the attempt is consumed')
    socket.resetAndDestroy()
    await until(async () => hangUps() > hangUpsBefore, 'the server notices the hang-up')
  }

  await hangUp('not the password')
  await hangUp(password)
  // These checks begin later and take as long, so the two above have ended by then.
  for (let n = 0; n < 2; n += 1) t.equal((await attemptLogin(port, 'bob')).status, 401)
  expectLimited(t, await attemptLogin(port, 'ann', { password }), pair, 2)
  t.equal(await countAttempts(db, pair), 2 + 2)
  t.equal(await db.collection('sessions').countDocuments(), 1, 'the right password starts no session either')
})
