import t from 'tap'
import { Checker, type Excess } from '../../../bot/check/checker.ts'
import { ExcessInvestigation } from '../../../bot/check/excess.ts'
import type { Call } from '../../../bot/client.ts'
import { History } from '../../../bot/history/history.ts'
import { lists } from '../../../bot/history/registers.ts'
import { Directory } from '../../../bot/people/directory.ts'

const count = lists.likes('ann/0')
const id = '01a22750-2ac8-729e-9672-8825d9250379'
const post = {
  ...{ id, author: { id, username: 'ann', displayName: 'Ann' }, text: '0. A post.', replyTo: null },
  ...{ createdAt: '2026-11-29T12:00:00.000Z', editedAt: null, viewer: null },
  counts: { likes: 0, dislikes: 0, replies: 0 },
}

/**
 * @property stillCounted - how many reads of the post count a like that no list shows
 * @property deletionMs - how long the deletion of an account took before
 */
type Sent = { ofWrites: number; ofReads: number; stillCounted?: number; deletionMs?: number }

const pauses = { usual: [0, 0, 0], afterSlowDeletion: [0, 0] }

/** A server without likes, and what the answers to writes and reads have had too much all the same. */
async function investigate({ ofWrites, ofReads, stillCounted = 0, deletionMs = 0 }: Sent) {
  let now = 0
  const [history, checker, directory] = [new History(() => now), new Checker(), new Directory()]
  history.listen(checker)
  directory.addAccount('ann')
  directory.announce('ann/0', null)
  directory.resolve(post)
  let reads = 0
  const answers = { isUncertain: false, isSessionInvalid: false, interrupted: false, cause: '200', ms: 1 }
  const send = async ({ path, observe }: Call) => {
    const likes = path.endsWith(id) && reads++ < stillCounted ? 1 : 0
    const counted = { ...post, counts: { ...post.counts, likes } }
    const body = path.endsWith(id) ? counted : { items: [], nextCursor: null }
    observe?.({ status: 200, body, isSessionInvalid: false, sentAt: performance.now() })
    return { ...answers, status: 200, body }
  }
  const investigation = new ExcessInvestigation({ send }, directory, checker, history, pauses)
  const deletion = history.begin({ robot: 1, action: 'delete account' })
  now = deletionMs
  history.end(deletion, { status: 204, cause: '204', requestId: null })
  const values = { object: count, expected: '0', seen: '1', requestIds: ['a request'] }
  const finding: Excess['finding'] = { rule: 'C', ...values, times: { sent: 0, answered: 1 } }
  for (const [times, isOfWrite] of [
    [ofWrites, true],
    [ofReads, false],
  ] as const) {
    for (let n = 0; n < times; n += 1) {
      investigation.look({ count, most: 0, seen: 1, isOfWrite, finding })
      await investigation.settled()
    }
  }
  investigation.conclude()
  return checker.findings
}

t.test('what the answers to many writes count and no read shows is a contradiction', async (t) => {
  const expected = [{ rule: 'C', object: count, expected: '0', requestIds: ['a request'], seen: /^1; .* 20 writes/ }]
  t.match(await investigate({ ofWrites: 20, ofReads: 0 }), expected)
})

t.test('a count that another account may have raised and lowered again is no contradiction', async (t) => {
  t.same(await investigate({ ofWrites: 19, ofReads: 0 }), [])
  t.same(await investigate({ ofWrites: 20, ofReads: 1 }), [])
  t.same(await investigate({ ofWrites: 0, ofReads: 100 }), [])
})

t.test('a count that its list does not explain is a finding only if it stays', async (t) => {
  t.same(await investigate({ ofWrites: 0, ofReads: 1, stillCounted: 4 }), [], 'the content of a deleted account')
  const seen = '1, of which 0 are of other accounts'
  t.match(await investigate({ ofWrites: 0, ofReads: 1, stillCounted: 6 }), [{ rule: 'C', object: count, seen }])
})

t.test('after a deletion that took long, what a server withdraws later has more time', async (t) => {
  const slow = { ofWrites: 0, ofReads: 1, deletionMs: 3_001 }
  t.same(await investigate({ ...slow, stillCounted: 8 }), [])
  t.match(await investigate({ ...slow, stillCounted: 10 }), [{ rule: 'C', object: count }])
})
