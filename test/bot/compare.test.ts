import t from 'tap'
import { compareAccount, compareList, comparePost, compareReactions } from '../../bot/compare.ts'
import type { Reaction } from '../../bot/plan.ts'

const state = (acknowledged: Reaction | null, ...possible: (Reaction | null)[]) => ({
  acknowledged,
  possible: new Set(possible),
})
const expected = {
  id: 'p1',
  author: 0,
  username: 'ann',
  text: 'hello',
  createdAt: '2026-01-01T00:00:00.000Z',
  replyTo: null,
  reactions: new Map([
    ['bob', state('like')],
    ['cat', state('dislike')],
    ['dan', state(null)],
  ]),
}
const actual = (over: object = {}) => ({
  id: 'p1',
  author: { username: 'ann' },
  text: 'hello',
  createdAt: '2026-01-01T00:00:00.000Z',
  replyTo: null,
  counts: { likes: 1, dislikes: 1, replies: 0 },
  ...over,
})
const by = (username: string, value: Reaction) => ({ account: { username }, value })

t.test('a missing post, or a difference in its id, author, text, parent or counts, is a mismatch', async (t) => {
  t.strictSame(comparePost(expected, actual()), [])
  t.match(comparePost(expected, null), [/p1 by ann: acknowledged, but missing/])
  t.match(comparePost(expected, actual({ id: 'p2' })), [/returned post p2 instead/])
  t.match(comparePost(expected, actual({ text: 'hullo' })), [/expected the text "hello", got "hullo"/])
  t.match(comparePost(expected, actual({ replyTo: 'p0' })), [/expected replyTo null, got p0/])
  t.match(comparePost(expected, actual({ author: { username: 'bob' } })), [/returned bob as the author/])
  t.match(comparePost(expected, actual({ counts: { likes: 2, dislikes: 1, replies: 0 } })), [
    /expected like count 1, got 2/,
  ])
  t.match(comparePost(expected, actual({ counts: { likes: 1, dislikes: 0, replies: 0 } })), [
    /expected dislike count 1, got 0/,
  ])
})

t.test('an unanswered reaction widens the expected count to a range', async (t) => {
  const uncertain = { ...expected, reactions: new Map([['bob', state('like', null)]]) }
  const counts = (likes: number) => comparePost(uncertain, actual({ counts: { likes, dislikes: 0, replies: 0 } }))
  t.strictSame([counts(0), counts(1)], [[], []])
  t.match(counts(2), [/expected like count 0 to 1, got 2/])
})

t.test('a missing, unexpected, duplicate or wrong reaction in the list is a mismatch', async (t) => {
  const correct = [by('cat', 'dislike'), by('bob', 'like')]
  const counts = { likes: 1, dislikes: 1, replies: 0 }
  t.strictSame(compareReactions(expected, correct, counts), [])
  t.match(compareReactions(expected, correct.slice(1), counts), [/the dislike by cat is not listed/])
  t.match(compareReactions(expected, [...correct, by('eve', 'like')], counts), [/a like by eve, who never/])
  t.match(compareReactions(expected, [...correct, by('dan', 'like')], counts), [/a like by dan, expected none/])
  t.match(compareReactions(expected, [...correct, by('bob', 'like')], counts), [/lists bob twice/])
  t.match(compareReactions(expected, [by('cat', 'like'), by('bob', 'like')], counts), [
    /a like by cat, expected dislike/,
  ])
})

t.test('an unanswered reaction may be listed or not, as long as counts and list agree', async (t) => {
  const uncertain = { ...expected, reactions: new Map([['bob', state('like', null, 'dislike')]]) }
  t.strictSame(compareReactions(uncertain, [], { likes: 0, dislikes: 0, replies: 0 }), [])
  t.strictSame(compareReactions(uncertain, [by('bob', 'dislike')], { likes: 0, dislikes: 1, replies: 0 }), [])
  t.match(compareReactions(uncertain, [by('bob', 'like')], { likes: 0, dislikes: 1, replies: 0 }), [
    /its counts differ from its list/,
  ])
})

t.test('missing, duplicate, unacknowledged or miscounted posts of an account are mismatches', async (t) => {
  const account = {
    robot: 0,
    username: 'ann',
    postsBefore: 1,
    newestBefore: 'old',
    posts: new Set(['p1', 'p2']),
    unansweredTexts: ['lost'],
  }
  const [p1, p2, old] = [actual(), actual({ id: 'p2' }), actual({ id: 'old' })]
  const lost = actual({ id: 'p3', text: 'lost' })
  t.strictSame(compareAccount(account, { count: 3, items: [p2, p1, old] }), [])
  t.strictSame(compareAccount(account, { count: 4, items: [lost, p2, p1, old] }), [])
  t.match(compareAccount(account, { count: 5, items: [lost, lost, p2, p1, old] }), [
    /p3 appears more than once/,
    /never/,
  ])
  t.match(compareAccount(account, { count: 4, items: [actual({ id: 'p4' }), p2, p1, old] }), [
    /p4 was never acknowledged: "hello"/,
  ])
  t.match(compareAccount(account, { count: 2, items: [p1, old] }), [/p2 is missing/])
  t.match(compareAccount(account, { count: 2, items: [p2, p1, old] }), [/counts 2 posts, lists 3/])
  t.match(compareAccount(account, { count: 2, items: [p2, p1] }), [/listed 1 posts before this run, now lists 0/])
  t.match(compareAccount(account, { count: 4, items: [p2, p1, p1, old] }), [/p1 appears more than once/])
})

t.test('compareList finds missing and duplicate posts and accepts others', async (t) => {
  const ids = new Set(['a', 'b'])
  t.strictSame(compareList('the list', ids, ['x', 'b', 'a', 'y']), [])
  t.strictSame(compareList('the list', ids, ['x', 'a']), ['the list: post b is missing.'])
  t.strictSame(compareList('the list', ids, ['a', 'b', 'a']), ['the list: post a appears more than once.'])
})
