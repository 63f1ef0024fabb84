import t from 'tap'
import { Ledger } from '../../bot/ledger.ts'

const standing = (ledger: Ledger) => {
  const kept = ledger.standings('p').get(1)
  return [kept?.acknowledged, [...(kept?.perhaps ?? [])]]
}

t.test('posts are found by their place', async (t) => {
  const ledger = new Ledger()
  ledger.posted({ author: 1, post: 2 }, 'p', 'text')
  t.equal(ledger.idOf({ author: 1, post: 2 }), 'p')
  t.equal(ledger.idOf({ author: 12, post: 0 }), null)
  t.strictSame(ledger.posts.get('p'), { id: 'p', author: 1, text: 'text' })
})

t.test('the last acknowledged reaction stands', async (t) => {
  const ledger = new Ledger()
  ledger.reacted(1, 'p', 'like', null)
  ledger.reacted(1, 'p', 'dislike', null)
  t.strictSame(standing(ledger), ['dislike', []])
  ledger.reacted(1, 'p', null, null)
  t.strictSame(standing(ledger), [null, []])
  t.strictSame(ledger.totals(), { posts: 0, reactions: 0, unknown: 0 })
})

t.test('what had no answer is open until the next answer', async (t) => {
  const ledger = new Ledger()
  ledger.reacted(1, 'p', 'like', null)
  ledger.reactionLost(1, 'p', null, 'perhaps done')
  t.strictSame(standing(ledger), ['like', [null]])
  t.equal(ledger.totals().unknown, 1)
  ledger.reacted(1, 'p', 'dislike', 'perhaps done')
  t.strictSame(standing(ledger), ['dislike', []])
  ledger.reactionLost(1, 'p', 'dislike', 'perhaps done')
  t.strictSame(standing(ledger), ['dislike', []], 'both outcomes are the same')
})

t.test('what timed out may still come after later answers', async (t) => {
  const ledger = new Ledger()
  ledger.reacted(1, 'p', 'like', 'perhaps later')
  t.strictSame(standing(ledger), ['like', []])
  ledger.reacted(1, 'p', null, null)
  t.strictSame(standing(ledger), [null, ['like']])
  t.strictSame(ledger.totals(), { posts: 0, reactions: 0, unknown: 1 })
})

t.test('lost texts are kept by author', async (t) => {
  const ledger = new Ledger()
  ledger.postLost(3, 'a')
  ledger.postLost(3, 'a')
  t.strictSame(ledger.lostTexts.get(3), ['a', 'a'])
  t.equal(ledger.totals().unknown, 2)
})
