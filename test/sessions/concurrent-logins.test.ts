import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'

const writeConflict = 112
/** Few enough for the profiler's 1 MB. */
const logins = 12

t.test('12 concurrent logins of one account succeed without write conflicts', async (t) => {
  const { url, db } = await testServer(t)
  const { username } = await signUp(url)
  await db.command({ profile: 2 })
  const logIn = () => makeClient(url).post('v1/session', { json: { username, password } })
  const answers = await Promise.all(Array.from({ length: logins }, logIn))
  await db.command({ profile: 0 })
  t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
  const profile = db.collection('system.profile')
  const recorded = await profile.countDocuments({ 'command.findAndModify': 'credentials' })
  t.equal(recorded, logins, 'the profile is complete')
  t.equal(await profile.countDocuments({ errCode: writeConflict }), 0)
})
