import * as schemas from '../api-schemas.ts'
import { lists, registers } from '../history/registers.ts'
import type { Robot } from '../people/robot.ts'
import type { Checker } from './checker.ts'

type Sum = { date: string; likes: number; dislikes: number }

const today = () => new Date().toISOString().slice(0, 10)

/** The reactions of today that stood before the run, read by a robot that has signed up; null if they cannot be read. */
export async function readBaseline(robot: Robot): Promise<Sum | null> {
  const date = today()
  let sum: Sum | null = null
  await robot.send({
    ...{ action: 'read analytics', method: 'GET', path: `/v1/analytics/reactions?from=${date}&to=${date}` },
    observe: ({ status, body }) => {
      const read = status === 200 ? schemas.analytics.safeParse(body).data : undefined
      if (read) sum = { date, likes: read.total.likes, dislikes: read.total.dislikes }
      return []
    },
  })
  return sum
}

/** What the run adds to the analytics is what the run's posts have got. Only if no other account reacts, on one day. */
export async function checkAnalytics(
  robot: Robot,
  before: Sum,
  checker: Checker,
  posts: Iterable<string>,
): Promise<void> {
  const date = today()
  if (date !== before.date) return
  const expected = { likes: { least: 0, most: 0 }, dislikes: { least: 0, most: 0 } }
  for (const post of posts) {
    const exists = checker.possibleValues(registers.post(post))
    for (const kind of ['likes', 'dislikes'] as const) {
      const { least, most } = checker.sizes(lists[kind](post))
      if (exists.every(Boolean)) expected[kind].least += least
      if (exists.some(Boolean)) expected[kind].most += most
    }
  }
  await robot.send({
    ...{ action: 'read analytics', method: 'GET', path: `/v1/analytics/reactions?from=${date}&to=${date}` },
    observe: ({ status, body }) => {
      const read = status === 200 ? schemas.analytics.safeParse(body).data : undefined
      if (!read) return []
      const [day] = read.items
      return (['likes', 'dislikes'] as const).map((kind) => {
        const { least, most } = expected[kind]
        const added = read.total[kind] - before[kind]
        const holds = added >= least && added <= most && day?.[kind] === read.total[kind]
        const object = `the ${kind} of ${date} in the analytics`
        return { claim: 'E', object, expected: `${least} to ${most} more than before`, seen: `${added} more`, holds }
      })
    },
  })
}
