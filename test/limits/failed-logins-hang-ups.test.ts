import { connect } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { password, testServer } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import { counted, isLimited, tryOnce } from './login-attempts.ts'

const pair = 'failed-logins-by-account-and-address'

t.test('who hangs up while the password is checked is counted', { timeout: 120_000 }, async (t) => {
  // So slow a hash that there is time to hang up while it is made.
  const { port, db, lines } = await testServer(t, {
    BCRYPT_COST: '12',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '2',
  })
  await cookieOf(port, 'Ann')
  const left = () => lines.filter((line) => line.includes('"path":"/v1/session","status":499')).length
  const until = async (condition: () => Promise<boolean>, what: string) => t.resolves(eventually(condition), what)

  /** Hangs up between the moment a place is taken, which is just before the hash, and the answer. */
  async function hangUp(given: string): Promise<void> {
    const body = JSON.stringify({ username: 'ann', password: given })
    const head = 'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    const [takenBefore, leftBefore] = [await counted(db, pair), left()]
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    await until(async () => (await counted(db, pair)) > takenBefore, 'a place is taken')
    socket.resetAndDestroy()
    await until(async () => left() > leftBefore, 'it hangs up')
  }

  await hangUp('not the password')
  await hangUp(password)
  // These hashes are begun later and take as long: when they are made, those from before are, too.
  for (let n = 0; n < 2; n += 1) t.equal((await tryOnce(port, 'bob')).status, 401)
  isLimited(t, await tryOnce(port, 'ann', { password }), pair, 2)
  t.equal(await counted(db, pair), 2 + 2)
  t.equal(await db.collection('sessions').countDocuments(), 1, 'a right one begins no session either')
})
