import t from 'tap'
import { eventually } from '../eventually.ts'
import { freshDatabase, password, signUp } from '../helper.ts'
import { ServerProcess } from '../main/server-process.ts'
import { startMailServer } from './mail-server.ts'

t.test(
  'a mail whose process is killed between the commit and the sending is sent by another',
  { timeout: 120_000 },
  async (t) => {
    const { db, connection } = await freshDatabase(t)
    let isStalling = true
    const mails = await startMailServer(t, (phase) => (phase === 'mail' && isStalling ? 'stall' : 'accept'))
    const env = {
      ...mails.env,
      NODE_ENV: 'test',
      BCRYPT_COST: '4',
      MONGODB_URI: connection.uri,
      DB_USER: connection.username,
      DB_PASSWORD: connection.password,
      JWT_SIGN_KEY: '0123456789abcdef by which several servers sign',
    }
    const first = new ServerProcess(t, env)
    const { client } = await signUp(await first.ready())
    await client.post('v1/session/confirm', { json: { password } })
    t.equal((await client.put('v1/account/email', { json: { email: 'ann@mail.example' } })).statusCode, 202)
    await eventually(() => mails.asked.includes('mail'))
    await first.kill('SIGKILL')
    isStalling = false
    const second = new ServerProcess(t, env)
    await second.ready()
    t.equal(mails.received.length, 0)
    // The lease of the first is over.
    await db.collection('outbox').updateOne({}, { $set: { dueAt: new Date() } })
    await eventually(() => mails.received.length === 1)
    await eventually(async () => (await db.collection('outbox').countDocuments()) === 0)
    t.equal((await second.kill('SIGTERM')).code, 0)
  },
)
