import t from 'tap'
import { Ledger } from '../../bot/ledger.ts'

const nothing = { posts: 0, reactions: 0, follows: 0, deleted: 0, unknown: 0 }

const standing = (ledger: Ledger) => {
  const kept = ledger.reactions.of('p').get(1)
  return [kept?.acknowledged, [...(kept?.possible ?? [])]]
}

t.test('posts are found by their place', async (t) => {
  const ledger = new Ledger()
  const post = { id: 'p', text: 'text', createdAt: '', replyTo: null }
  ledger.addPost({ author: 1, post: 2 }, post)
  t.equal(ledger.idOf({ author: 1, post: 2 }), 'p')
  t.equal(ledger.idOf({ author: 12, post: 0 }), null)
  t.strictSame(ledger.posts.get('p'), { ...post, author: 1 })
})

t.test('the last acknowledged reaction stands', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.recordAcknowledged(1, 'p', 'like', null)
  ledger.reactions.recordAcknowledged(1, 'p', 'dislike', null)
  t.strictSame(standing(ledger), ['dislike', []])
  ledger.reactions.recordAcknowledged(1, 'p', null, null)
  t.strictSame(standing(ledger), [null, []])
  t.strictSame(ledger.totals(), nothing)
})

t.test('what had no answer is open until the next answer', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.recordAcknowledged(1, 'p', 'like', null)
  ledger.reactions.recordUnanswered(1, 'p', null, 'unknown')
  t.strictSame(standing(ledger), ['like', [null]])
  t.equal(ledger.totals().unknown, 1)
  ledger.reactions.recordAcknowledged(1, 'p', 'dislike', 'unknown')
  t.strictSame(standing(ledger), ['dislike', []])
  ledger.reactions.recordUnanswered(1, 'p', 'dislike', 'unknown')
  t.strictSame(standing(ledger), ['dislike', []], 'both outcomes are the same')
})

t.test('what timed out may still come after later answers', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.recordAcknowledged(1, 'p', 'like', 'in-flight')
  t.strictSame(standing(ledger), ['like', []])
  ledger.reactions.recordAcknowledged(1, 'p', null, null)
  t.strictSame(standing(ledger), [null, ['like']])
  t.strictSame(ledger.totals(), { ...nothing, unknown: 1 })
})

t.test('lost texts are kept by author', async (t) => {
  const ledger = new Ledger()
  ledger.addUnansweredPost(3, 'a')
  ledger.addUnansweredPost(3, 'a')
  t.strictSame(ledger.unansweredTexts.get(3), ['a', 'a'])
  t.equal(ledger.totals().unknown, 2)
})

t.test('what may be gone is known by its removal, or that of its author', async (t) => {
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
  t.strictSame(ledger.totals(), { ...nothing, posts: 3, deleted: 1, unknown: 1 })
})

t.test('follows stand as reactions do, by either of the two', async (t) => {
  const ledger = new Ledger()
  ledger.follows.recordAcknowledged(1, 'ann', true, null)
  ledger.follows.recordAcknowledged(2, 'ann', true, null)
  ledger.follows.recordUnanswered(2, 'ann', false, 'unknown')
  ledger.follows.recordAcknowledged(1, 'bob', false, null)
  t.strictSame([...ledger.follows.of('ann').keys()], [1, 2])
  t.strictSame([...ledger.follows.by(1).keys()], ['ann', 'bob'])
  t.strictSame(ledger.totals(), { ...nothing, follows: 2, unknown: 1 })
})
