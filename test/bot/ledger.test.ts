import t from 'tap'
import { Ledger } from '../../bot/ledger.ts'

const nothing = { posts: 0, reactions: 0, follows: 0, removed: 0, unknown: 0 }

const standing = (ledger: Ledger) => {
  const kept = ledger.reactions.of('p').get(1)
  return [kept?.acknowledged, [...(kept?.perhaps ?? [])]]
}

t.test('posts are found by their place', async (t) => {
  const ledger = new Ledger()
  const post = { id: 'p', text: 'text', createdAt: '', replyTo: null }
  ledger.posted({ author: 1, post: 2 }, post)
  t.equal(ledger.idOf({ author: 1, post: 2 }), 'p')
  t.equal(ledger.idOf({ author: 12, post: 0 }), null)
  t.strictSame(ledger.posts.get('p'), { ...post, author: 1 })
})

t.test('the last acknowledged reaction stands', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.acknowledged(1, 'p', 'like', null)
  ledger.reactions.acknowledged(1, 'p', 'dislike', null)
  t.strictSame(standing(ledger), ['dislike', []])
  ledger.reactions.acknowledged(1, 'p', null, null)
  t.strictSame(standing(ledger), [null, []])
  t.strictSame(ledger.totals(), nothing)
})

t.test('what had no answer is open until the next answer', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.acknowledged(1, 'p', 'like', null)
  ledger.reactions.lost(1, 'p', null, 'perhaps done')
  t.strictSame(standing(ledger), ['like', [null]])
  t.equal(ledger.totals().unknown, 1)
  ledger.reactions.acknowledged(1, 'p', 'dislike', 'perhaps done')
  t.strictSame(standing(ledger), ['dislike', []])
  ledger.reactions.lost(1, 'p', 'dislike', 'perhaps done')
  t.strictSame(standing(ledger), ['dislike', []], 'both outcomes are the same')
})

t.test('what timed out may still come after later answers', async (t) => {
  const ledger = new Ledger()
  ledger.reactions.acknowledged(1, 'p', 'like', 'perhaps later')
  t.strictSame(standing(ledger), ['like', []])
  ledger.reactions.acknowledged(1, 'p', null, null)
  t.strictSame(standing(ledger), [null, ['like']])
  t.strictSame(ledger.totals(), { ...nothing, unknown: 1 })
})

t.test('lost texts are kept by author', async (t) => {
  const ledger = new Ledger()
  ledger.postLost(3, 'a')
  ledger.postLost(3, 'a')
  t.strictSame(ledger.lostTexts.get(3), ['a', 'a'])
  t.equal(ledger.totals().unknown, 2)
})

t.test('what may be gone is known by its removal, or that of its author', async (t) => {
  const ledger = new Ledger()
  for (const author of [1, 2, 3]) {
    ledger.posted({ author, post: 0 }, { id: `p${author}`, text: '.', createdAt: '', replyTo: null })
  }
  ledger.removals.set('p1', 'gone')
  ledger.departures.set(2, 'perhaps gone')
  t.strictSame(
    ['p1', 'p2', 'p3', 'p4'].map((post) => ledger.mayBeGone(post)),
    [true, true, false, false],
  )
  t.strictSame(ledger.totals(), { ...nothing, posts: 3, removed: 1, unknown: 1 })
})

t.test('follows stand as reactions do, by either of the two', async (t) => {
  const ledger = new Ledger()
  ledger.follows.acknowledged(1, 'ann', true, null)
  ledger.follows.acknowledged(2, 'ann', true, null)
  ledger.follows.lost(2, 'ann', false, 'perhaps done')
  ledger.follows.acknowledged(1, 'bob', false, null)
  t.strictSame([...ledger.follows.of('ann').keys()], [1, 2])
  t.strictSame([...ledger.follows.by(1).keys()], ['ann', 'bob'])
  t.strictSame(ledger.totals(), { ...nothing, follows: 2, unknown: 1 })
})
