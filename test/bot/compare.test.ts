import t from 'tap'
import { compareAccount, compareList, comparePost, compareReactions } from '../../bot/compare.ts'
import type { Reaction } from '../../bot/plan.ts'

const standing = (acknowledged: Reaction | null, ...possible: (Reaction | null)[]) => ({
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
  standings: new Map([
    ['bob', standing('like')],
    ['cat', standing('dislike')],
    ['dan', standing(null)],
  ]),
}
const seen = (over: object = {}) => ({
  id: 'p1',
  author: { username: 'ann' },
  text: 'hello',
  createdAt: '2026-01-01T00:00:00.000Z',
  replyTo: null,
  counts: { likes: 1, dislikes: 1, replies: 0 },
  ...over,
})
const by = (username: string, value: Reaction) => ({ account: { username }, value })

t.test('a post', async (t) => {
  t.strictSame(comparePost(expected, seen()), [])
  t.match(comparePost(expected, null), [/p1 by ann: acknowledged, but not there/])
  t.match(comparePost(expected, seen({ id: 'p2' })), [/another post/])
  t.match(comparePost(expected, seen({ text: 'hullo' })), [/expected the text "hello", seen "hullo"/])
  t.match(comparePost(expected, seen({ replyTo: 'p0' })), [/shown as a reply to p0/])
  t.match(comparePost(expected, seen({ author: { username: 'bob' } })), [/written by bob/])
  t.match(comparePost(expected, seen({ counts: { likes: 2, dislikes: 1, replies: 0 } })), [/expected 1 likes, seen 2/])
  t.match(comparePost(expected, seen({ counts: { likes: 1, dislikes: 0, replies: 0 } })), [
    /expected 1 dislikes, seen 0/,
  ])
})

t.test('a post with an open outcome', async (t) => {
  const open = { ...expected, standings: new Map([['bob', standing('like', null)]]) }
  const counts = (likes: number) => comparePost(open, seen({ counts: { likes, dislikes: 0, replies: 0 } }))
  t.strictSame([counts(0), counts(1)], [[], []])
  t.match(counts(2), [/expected 0 to 1 likes, seen 2/])
})

t.test('who reacted', async (t) => {
  const right = [by('cat', 'dislike'), by('bob', 'like')]
  const counts = { likes: 1, dislikes: 1, replies: 0 }
  t.strictSame(compareReactions(expected, right, counts), [])
  t.match(compareReactions(expected, right.slice(1), counts), [/the dislike by cat is not listed/])
  t.match(compareReactions(expected, [...right, by('eve', 'like')], counts), [/a like by eve, who never/])
  t.match(compareReactions(expected, [...right, by('dan', 'like')], counts), [/a like by dan, expected none/])
  t.match(compareReactions(expected, [...right, by('bob', 'like')], counts), [/lists bob twice/])
  t.match(compareReactions(expected, [by('cat', 'like'), by('bob', 'like')], counts), [
    /a like by cat, expected dislike/,
  ])
})

t.test('who reacted, with an open outcome', async (t) => {
  const open = { ...expected, standings: new Map([['bob', standing('like', null, 'dislike')]]) }
  t.strictSame(compareReactions(open, [], { likes: 0, dislikes: 0, replies: 0 }), [])
  t.strictSame(compareReactions(open, [by('bob', 'dislike')], { likes: 0, dislikes: 1, replies: 0 }), [])
  t.match(compareReactions(open, [by('bob', 'like')], { likes: 0, dislikes: 1, replies: 0 }), [/counts and the list/])
})

t.test('an account', async (t) => {
  const account = {
    robot: 0,
    username: 'ann',
    postsBefore: 1,
    newestBefore: 'old',
    posts: new Set(['p1', 'p2']),
    unansweredTexts: ['lost'],
  }
  const [p1, p2, old] = [seen(), seen({ id: 'p2' }), seen({ id: 'old' })]
  const lost = seen({ id: 'p3', text: 'lost' })
  t.strictSame(compareAccount(account, { count: 3, items: [p2, p1, old] }), [])
  t.strictSame(compareAccount(account, { count: 4, items: [lost, p2, p1, old] }), [])
  t.match(compareAccount(account, { count: 5, items: [lost, lost, p2, p1, old] }), [
    /p3 is there more than once/,
    /never/,
  ])
  t.match(compareAccount(account, { count: 4, items: [seen({ id: 'p4' }), p2, p1, old] }), [
    /p4 was never acknowledged: "hello"/,
  ])
  t.match(compareAccount(account, { count: 2, items: [p1, old] }), [/p2 is missing/])
  t.match(compareAccount(account, { count: 2, items: [p2, p1, old] }), [/counts 2 posts, lists 3/])
  t.match(compareAccount(account, { count: 2, items: [p2, p1] }), [/had 1 posts before this run, now lists 0/])
  t.match(compareAccount(account, { count: 4, items: [p2, p1, p1, old] }), [/p1 is there more than once/])
})

t.test('a list that holds other things as well', async (t) => {
  const ids = new Set(['a', 'b'])
  t.strictSame(compareList('the list', ids, ['x', 'b', 'a', 'y']), [])
  t.strictSame(compareList('the list', ids, ['x', 'a']), ['the list: post b is missing.'])
  t.strictSame(compareList('the list', ids, ['a', 'b', 'a']), ['the list: post a is there more than once.'])
})
