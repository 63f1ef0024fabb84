import t from 'tap'
import { planReactions, type Reaction } from '../../bot/plan.ts'

const size = { users: 10, posts: 5, reactions: 200 }

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
  t.equal(planReactions(1, 0, { users: 1, posts: 1, reactions: 50 }).length, 50)
})
