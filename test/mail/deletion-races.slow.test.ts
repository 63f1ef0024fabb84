import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { deleteAccount, idOf } from '../accounts/count-invariants.ts'
import { twoServers } from '../sessions/servers.ts'
import { confirmReset, drained, mailFolder, requestReset, signUpWithAddress, subjects, tokenIn } from './mailbox.ts'

const newPassword = 'brisk oboe fjord twelve'
const refusal = { statusCode: 401, body: { code: 'invalid-credentials' } }

t.test('an account that is deleted beside a reset leaves nothing', async (t) => {
  const box = await mailFolder(t)
  const { urls, db } = await twoServers(t, box.env)
  for (let n = 0; n < 6; n += 1) {
    const ann = await signUpWithAddress(urls[0], box)
    const id = toUuid(await idOf(ann))
    await requestReset(urls[1], ann.username)
    const token = tokenIn(await box.receive(ann.email, subjects.reset), 'reset')
    const [deleted, reset] = await Promise.all([
      deleteAccount(ann),
      confirmReset(urls[1], token, newPassword),
      requestReset(urls[1], ann.username),
    ])
    t.ok(deleted === 204 || reset.statusCode === 204, `${deleted} ${reset.statusCode}`)
    if (deleted !== 204) continue
    for (const [name, field] of Object.entries({
      emails: '_id',
      credentials: '_id',
      devices: 'account',
      sessions: 'account',
    }))
      t.equal(await db.collection(name).countDocuments({ [field]: id }), 0, name)
    await box.receive(ann.email, 'Your account was deleted')
    t.match(await confirmReset(urls[0], token, newPassword), refusal)
  }
  await drained(db)
})
