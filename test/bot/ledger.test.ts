import t from 'tap'
import { Ledger } from '../../bot/ledger.ts'

const zero = { posts: 0, reactions: 0, follows: 0, deleted: 0, unknown: 0 }

const stateOf = (ledger: Ledger) => {
  const state = ledger.reactions.ofTarget('p').get(1)
  return [state?.acknowledged, [...(state?.possible ?? [])]]
}

t.test('idOf returns the id of an acknowledged post, and null for any other', async (t) => {
  const ledger = new Ledger()
  const post = { id: 'p', text: 'text', createdAt: '', replyTo: null }
  ledger.addPost({ author: 1, post: 2 }, post)
  t.equal(ledger.idOf({ author: 1, post: 2 }), 'p')
  t.equal(ledger.idOf({ author: 12, post: 0 }), null)
  t.strictSame(ledger.posts.get('p'), { ...post, author: 1 })
})

t.test('the last acknowledged reaction is the expected one', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.recordAcknowledged(1, 'p', 'like', null)
  ledger.reactions.recordAcknowledged(1, 'p', 'dislike', null)
  t.strictSame(stateOf(ledger), ['dislike', []])
  ledger.reactions.recordAcknowledged(1, 'p', null, null)
  t.strictSame(stateOf(ledger), [null, []])
  t.strictSame(ledger.totals(), zero)
})

t.test('an unanswered write stays possible until the next acknowledged one', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.recordAcknowledged(1, 'p', 'like', null)
  ledger.reactions.recordUnanswered(1, 'p', null, 'unknown')
  t.strictSame(stateOf(ledger), ['like', [null]])
  t.equal(ledger.totals().unknown, 1)
  ledger.reactions.recordAcknowledged(1, 'p', 'dislike', 'unknown')
  t.strictSame(stateOf(ledger), ['dislike', []])
  ledger.reactions.recordUnanswered(1, 'p', 'dislike', 'unknown')
  t.strictSame(stateOf(ledger), ['dislike', []], 'a repetition of the acknowledged value is certain')
})

t.test('a write that timed out stays possible after later acknowledged writes', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.recordAcknowledged(1, 'p', 'like', 'in-flight')
  t.strictSame(stateOf(ledger), ['like', []])
  ledger.reactions.recordAcknowledged(1, 'p', null, null)
  t.strictSame(stateOf(ledger), [null, ['like']])
  t.strictSame(ledger.totals(), { ...zero, unknown: 1 })
})

t.test('texts of unanswered posts are recorded by author, duplicates included', async (t) => {
  const ledger = new Ledger()
  ledger.addUnansweredPost(3, 'a')
  ledger.addUnansweredPost(3, 'a')
  t.strictSame(ledger.unansweredTexts.get(3), ['a', 'a'])
  t.equal(ledger.totals().unknown, 2)
})

t.test('a post may be deleted when its own deletion or its author’s has started', async (t) => {
  const ledger = new Ledger()
  for (const author of [1, 2, 3]) {
    ledger.addPost({ author, post: 0 }, { id: `p${author}`, text: '.', createdAt: '', replyTo: null })
  }
  ledger.postDeletions.set('p1', 'deleted')
  ledger.accountDeletions.set(2, 'unknown')
  t.strictSame(
    ['p1', 'p2', 'p3', 'p4'].map((post) => ledger.mayBeDeleted(post)),
    [true, true, false, false],
  )
  t.strictSame(ledger.totals(), { ...zero, posts: 3, deleted: 1, unknown: 1 })
})

t.test('expected follows are found by robot and by followed account', async (t) => {
  const ledger = new Ledger()
  ledger.follows.recordAcknowledged(1, 'ann', true, null)
  ledger.follows.recordAcknowledged(2, 'ann', true, null)
  ledger.follows.recordUnanswered(2, 'ann', false, 'unknown')
  ledger.follows.recordAcknowledged(1, 'bob', false, null)
  t.strictSame([...ledger.follows.ofTarget('ann').keys()], [1, 2])
  t.strictSame([...ledger.follows.ofRobot(1).keys()], ['ann', 'bob'])
  t.strictSame(ledger.totals(), { ...zero, follows: 2, unknown: 1 })
})
