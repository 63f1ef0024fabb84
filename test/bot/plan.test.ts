import t from 'tap'
import {
  carriesFactor,
  deletesAccount,
  isDeleted,
  planDeletions,
  planFollows,
  planReactions,
  planReplies,
  type Reaction,
  removesFactor,
} from '../../bot/plan.ts'

const size = { users: 10, posts: 5, replies: 40, follows: 60, reactions: 200, deletions: 10 }

t.test('a plan is the same for the same seed and robot, and differs for any other', async (t) => {
  t.strictSame(planReactions(1, 2, size), planReactions(1, 2, size))
  t.notSame(planReactions(1, 2, size), planReactions(1, 3, size))
  t.notSame(planReactions(1, 2, size), planReactions(2, 2, size))
})

t.test('each planned reaction is a valid change of the reaction before it', async (t) => {
  const current = new Map<string, Reaction | null>()
  const occurrences = new Map<string, number>()
  for (let robot = 0; robot < 10; robot += 1) {
    const plan = planReactions(9, robot, size)
    t.equal(plan.length, 200)
    current.clear()
    for (const { author, post, action, value } of plan) {
      const key = `${author}/${post}`
      const before = current.get(key) ?? null
      if (author < 0 || author >= 10 || post < 0 || post >= 5) t.fail(`no such post: ${key}`)
      const valid = {
        like: before === null && value === 'like',
        dislike: before === null && value === 'dislike',
        'change reaction': before !== null && value !== null && before !== value,
        'remove reaction': before !== null && value === null,
      }
      if (!valid[action]) t.fail(`${action} after ${before}`)
      current.set(key, value)
      occurrences.set(action, (occurrences.get(action) ?? 0) + 1)
    }
  }
  t.equal(occurrences.size, 4, 'all four actions occur')
  t.ok([...occurrences.values()].every((times) => times > 50))
})

t.test('without posts, no reactions and no replies are planned', async (t) => {
  t.strictSame(planReactions(1, 0, { ...size, posts: 0 }), [])
  t.strictSame(planReplies(1, 0, { ...size, posts: 0 }), [], 'no replies')
  t.equal(planReactions(1, 0, { ...size, users: 1, posts: 1, reactions: 50 }).length, 50)
})

t.test('a robot never follows itself and unfollows only accounts that it follows', async (t) => {
  for (let robot = 0; robot < 10; robot += 1) {
    const current = new Set<number>()
    const steps = planFollows(3, robot, size)
    t.equal(steps.length, 60)
    for (const { target: other, follows } of steps) {
      if (other === robot || other < 0 || other >= 10) t.fail(`${robot} cannot follow ${other}`)
      if (!follows && !current.has(other)) t.fail(`${robot} does not follow ${other}`)
      if (follows) current.add(other)
      else current.delete(other)
    }
    t.ok(steps.some(({ follows }) => !follows))
  }
  t.strictSame(planFollows(1, 0, { ...size, users: 1 }), [], 'a single robot follows no account')
})

t.test('no reply is planned to a post that its author deletes', async (t) => {
  const deleting = { ...size, deletions: 50 }
  for (let robot = 0; robot < 10; robot += 1)
    for (const parent of planReplies(7, robot, deleting)) if (isDeleted(7, parent, deleting)) t.fail('it is deleted')
  t.ok(planReplies(7, 0, deleting).length > 30)
})

t.test('--deletions is the percentage of posts and of accounts that are deleted', async (t) => {
  const robots = Array.from({ length: 40 }, (_, robot) => robot)
  const deleted = (deletions: number) =>
    robots.flatMap((robot) => planDeletions(5, robot, { ...size, deletions })).length
  t.strictSame([deleted(0), deleted(100)], [0, 40 * 45])
  t.ok(deleted(10) > 120 && deleted(10) < 240, `${deleted(10)} of 1,800`)
  const deletedAccounts = (deletions: number) =>
    robots.filter((robot) => deletesAccount(robot, { ...size, deletions })).length
  t.strictSame([deletedAccounts(0), deletedAccounts(10), deletedAccounts(25), deletedAccounts(100)], [0, 4, 10, 40])
})

t.test('with each seed one of eight robots carries a second factor, and half of these remove it', async (t) => {
  for (const seed of [0, 1, 7, 8, 4_294_967_295, Number.MAX_SAFE_INTEGER]) {
    const carriers = Array.from({ length: 160 }, (_, robot) => robot).filter((robot) => carriesFactor(seed, robot))
    t.equal(carriers.length, 20)
    t.ok((carriers[0] ?? 10) < 10, 'one of the first ten')
    t.equal(carriers.filter((robot) => removesFactor(seed, robot)).length, 10)
  }
})
