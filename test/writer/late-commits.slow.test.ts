import { setTimeout as delay } from 'node:timers/promises'
import type { ClientSession, Db } from 'mongodb'
import t from 'tap'
import { accountStore } from '../../src/accounts/store.ts'
import { credentialStore } from '../../src/credentials/store.ts'
import { newId } from '../../src/database/ids.ts'
import { follow } from '../../src/follows/follow.ts'
import { deletePost } from '../../src/posts/delete.ts'
import { editPost } from '../../src/posts/edit.ts'
import { react } from '../../src/reactions/react.ts'
import { revocationCache } from '../../src/sessions/revocation-cache.ts'
import { sessionStore } from '../../src/sessions/store.ts'
import { unfenced } from '../../src/writer/batch-context.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { deleteCommand, editCommand, reactCommand } from './fixtures/commands.ts'

type User = Awaited<ReturnType<typeof signUp>> & { id: string }
type Scene = { db: Db; ann: User; bob: User; post: string; key: string }

/** A write whose commit is late, the newer write that is acknowledged before it, and what must stand in the end. */
type Case = {
  late(session: ClientSession, scene: Scene): Promise<unknown>
  newer(scene: Scene): PromiseLike<{ statusCode: number }>
  stands(scene: Scene): Promise<unknown>
  expected: unknown
}

const read = async ({ client }: User, path: string) => (await client.get<Record<string, unknown>>(path)).body

async function logInLate({ db, ann }: Scene, session: ClientSession) {
  const credentials = credentialStore(db)
  const credential = await credentials.find(ann.id)
  if (!credential) throw new Error('no credential')
  await credentials.recordLogin(ann.id, credential, { at: new Date(), rehashed: undefined }, session)
  await sessionStore(db, revocationCache(db)).create(ann.id, { ip: '127.0.0.1', userAgent: 'late' }, session)
}

const cases: Record<string, Case> = {
  'a follow, and an unfollow that finds none': {
    late: (session, { db, ann, bob }) =>
      follow.apply(unfenced(db, session), [{ from: ann.id, to: bob.id, follows: true, order: newId() }]),
    newer: ({ ann, bob }) => ann.client.delete(`v1/accounts/${bob.username}/follow`),
    stands: ({ ann, bob }) => read(ann, `v1/accounts/${bob.username}`),
    expected: { viewer: { following: false }, counts: { followers: 0 } },
  },
  'an edit of a profile, and one to the present values': {
    late: (session, { db, ann }) => accountStore(db, (work) => work(session)).update(ann.id, { bio: 'late' }),
    newer: ({ ann }) => ann.client.patch('v1/account', { json: { bio: '' } }),
    stands: ({ ann }) => read(ann, 'v1/account'),
    expected: { bio: '' },
  },
  'an edit of a post, and one to the present text': {
    late: (session, { db, ann, post }) => editPost.apply(unfenced(db, session), [editCommand(post, ann.id, 'late')]),
    newer: ({ ann, post }) => ann.client.patch(`v1/posts/${post}`, { json: { text: 'Post' } }),
    stands: ({ ann, post }) => read(ann, `v1/posts/${post}`),
    expected: { text: 'Post' },
  },
  'a like, and a withdrawal that finds none': {
    late: (session, { db, ann, post }) => react.apply(unfenced(db, session), [reactCommand(post, ann.id, 'like')]),
    newer: ({ ann, post }) => ann.client.delete(`v1/posts/${post}/reaction`),
    stands: ({ ann, post }) => read(ann, `v1/posts/${post}`),
    expected: { viewer: { reaction: null }, counts: { likes: 0 } },
  },
  'a login, and the end of all other sessions, of which there are none': {
    late: (session, scene) => logInLate(scene, session),
    newer: ({ ann }) => ann.client.delete('v1/sessions'),
    stands: ({ ann }) => read(ann, 'v1/sessions'),
    expected: { items: { length: 1 } },
  },
}

for (const [name, { late, newer, stands, expected }] of Object.entries(cases)) {
  t.test(`${name}: the newer write waits for the late commit, and wins`, async (t) => {
    const scene = await sceneOn(await testServer(t))
    const { db } = scene
    const session = db.client.startSession()
    t.teardown(() => session.endSession())
    session.startTransaction()
    await late(session, scene)
    const answer = Promise.resolve(newer(scene))
    // Long enough for a write that does not conflict to be acknowledged.
    await Promise.race([answer, delay(800)])
    await session.commitTransaction()
    t.match(await answer, { statusCode: /^20[04]$/ })
    t.match(await stands(scene), expected)
  })
}

t.test('a deletion, and a repeated creation: the repeat waits for the deletion, and finds none', async (t) => {
  const { db, ann, post, key } = await sceneOn(await testServer(t))
  const session = db.client.startSession()
  t.teardown(() => session.endSession())
  session.startTransaction()
  await deletePost.apply(unfenced(db, session), [deleteCommand(post, ann.id)])
  const headers = { 'idempotency-key': key }
  const repeat = Promise.resolve(ann.client.post('v1/posts', { json: { text: 'Post' }, headers }))
  await Promise.race([repeat, delay(800)])
  await session.commitTransaction()
  t.match(await repeat, { statusCode: 404 })
})

/** Two accounts, and a post of the first under an Idempotency-Key. The first account's session is confirmed. */
async function sceneOn({ db, url }: { db: Db; url: string }): Promise<Scene> {
  const [ann, bob] = await Promise.all([newUser(url), newUser(url)])
  await ann.client.post('v1/session/confirm', { json: { password } })
  const key = 'one'
  const headers = { 'idempotency-key': key }
  const post = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Post' }, headers })).body.id
  return { db, ann, bob, post, key }
}

async function newUser(url: string): Promise<User> {
  const user = await signUp(url)
  const { id } = (await makeClient(url).get<{ id: string }>(`v1/accounts/${user.username}`)).body
  return { ...user, id }
}
