import t from 'tap'
import {
  deletesAccount,
  planDeletions,
  planFollows,
  planReactions,
  planReplies,
  type Reaction,
} from '../../bot/plan.ts'

const size = { users: 10, posts: 5, replies: 40, follows: 60, reactions: 200, deletions: 10 }

t.test('the same robot of the same seed does the same', async (t) => {
  t.strictSame(planReactions(1, 2, size), planReactions(1, 2, size))
  t.notSame(planReactions(1, 2, size), planReactions(1, 3, size))
  t.notSame(planReactions(1, 2, size), planReactions(2, 2, size))
})

t.test('every step makes sense after the ones before', async (t) => {
  const held = new Map<string, Reaction | null>()
  const met = new Map<string, number>()
  for (let robot = 0; robot < 10; robot += 1) {
    const plan = planReactions(9, robot, size)
    t.equal(plan.length, 200)
    held.clear()
    for (const { author, post, action, value } of plan) {
      const place = `${author}/${post}`
      const before = held.get(place) ?? null
      if (author < 0 || author >= 10 || post < 0 || post >= 5) t.fail(`no such post: ${place}`)
      const sensible = {
        like: before === null && value === 'like',
        dislike: before === null && value === 'dislike',
        'change mind': before !== null && value !== null && before !== value,
        withdraw: before !== null && value === null,
      }
      if (!sensible[action]) t.fail(`${action} after ${before}`)
      held.set(place, value)
      met.set(action, (met.get(action) ?? 0) + 1)
    }
  }
  t.equal(met.size, 4, 'all four actions happen')
  t.ok([...met.values()].every((times) => times > 50))
})

t.test('without posts there is nothing to react to', async (t) => {
  t.strictSame(planReactions(1, 0, { ...size, posts: 0 }), [])
  t.strictSame(planReplies(1, 0, { ...size, posts: 0 }), [], 'nor to reply to')
  t.equal(planReactions(1, 0, { ...size, users: 1, posts: 1, reactions: 50 }).length, 50)
})

t.test('whom a robot follows is never itself, and nobody is unfollowed who is not followed', async (t) => {
  for (let robot = 0; robot < 10; robot += 1) {
    const held = new Set<number>()
    const steps = planFollows(3, robot, size)
    t.equal(steps.length, 60)
    for (const { robot: other, follows } of steps) {
      if (other === robot || other < 0 || other >= 10) t.fail(`${robot} cannot follow ${other}`)
      if (!follows && !held.has(other)) t.fail(`${robot} does not follow ${other}`)
      if (follows) held.add(other)
      else held.delete(other)
    }
    t.ok(steps.some(({ follows }) => !follows))
  }
  t.strictSame(planFollows(1, 0, { ...size, users: 1 }), [], 'alone there is nobody')
})

t.test('of posts and accounts as many are deleted as was asked', async (t) => {
  const robots = Array.from({ length: 40 }, (_, robot) => robot)
  const deleted = (deletions: number) =>
    robots.flatMap((robot) => planDeletions(5, robot, { ...size, deletions })).length
  t.strictSame([deleted(0), deleted(100)], [0, 40 * 45])
  t.ok(deleted(10) > 120 && deleted(10) < 240, `${deleted(10)} of 1,800`)
  const leavers = (deletions: number) => robots.filter((robot) => deletesAccount(robot, { ...size, deletions })).length
  t.strictSame([leavers(0), leavers(10), leavers(25), leavers(100)], [0, 4, 10, 40])
})
