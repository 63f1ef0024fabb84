import * as schemas from '../api-schemas.ts'
import type { Call, CallResult, Client } from '../client.ts'
import { forEachConcurrent } from '../concurrency.ts'
import type { Observation } from '../history/operation.ts'
import { lists } from '../history/registers.ts'
import type { Directory } from '../people/directory.ts'
import { Reading } from '../people/reading.ts'
import type { Robot } from '../people/robot.ts'
import { readSecondFactor } from '../people/second-factor.ts'
import type { Stats } from '../stats.ts'
import type { Checker } from './checker.ts'
import { sample } from './sample.ts'

/** The more there are, the more reads the server answers with one query. */
export const maxConcurrentReads = 96

/**
 * Of the posts that, as the ledger says, have no reply and no reaction, so many have their lists read, evenly spread over the
 * run: those of some hundred robots all. If the count of one of the others disagrees, its list is looked into.
 */
const maxEmptyListsOf = 2_000

/** Thrown when a resource cannot be read, so that the check can neither confirm nor refute it. */
export class Unreadable extends Error {}

/** How often `readEverything` calls `onRead`, for the progress display. */
export function finalReadingSteps(directory: Directory, robots: readonly Robot[]): number {
  return directory.known.length + 2 * robots.length
}

type Everything = { directory: Directory; robots: readonly Robot[]; stats: Stats; checker: Checker }

/**
 * When no robot writes any more: reads every post, account and list without a session, and what each robot alone sees with
 * its own. The history's listeners judge what the answers say. @throws Unreadable
 */
export async function readEverything(
  client: Client,
  { directory, robots, stats, checker }: Everything,
  onRead: () => void,
): Promise<void> {
  const send = async (call: Call): Promise<CallResult> => readable(call, await client.send(call), stats)
  const visitor = new Reading(directory, null, send)
  await forEachConcurrent(robots, maxConcurrentReads, async ({ username }) => {
    await visitor.profile(username)
    await visitor.allOf('account', username)
    onRead()
  })
  await visitor.everyPost({ limit: 100, pages: 1 + Math.ceil(directory.known.length / 100) })
  const isEmpty = (post: string) =>
    [lists.replies(post), lists.reactions(post)].every((list) => checker.sizes(list).most === 0)
  const isSampled = sample(directory.known.filter(isEmpty).length, maxEmptyListsOf)
  // Lists may have made more posts known: those whose creation had no answer.
  await forEachConcurrent(directory.known, maxConcurrentReads, async (post) => {
    await visitor.post(post)
    if (!isEmpty(post) || isSampled()) await visitor.allOf('post', post)
    onRead()
  })
  await forEachConcurrent(robots, maxConcurrentReads, async (robot) => {
    if (!robot.isGone) await readOwn(robot, stats)
    onRead()
  })
}

async function readOwn(robot: Robot, stats: Stats): Promise<void> {
  const { context, username, tally } = robot
  const send = async (call: Call) => readable(call, await robot.session.send(call), stats)
  const own = new Reading(context.directory, username, send)
  await own.profile(username)
  await own.allOfOwn(username)
  if (robot.identity.app) await readSecondFactor(robot, send)
  const object = `the sessions of ${username}`
  if (!tally.hasUnknownSessions)
    await send({
      ...{ action: 'read list', method: 'GET', path: '/v1/sessions?limit=100' },
      observe: ({ body }) => {
        const items = schemas.page(schemas.session).safeParse(body).data?.items
        if (!items) return []
        return [compareSets('S', object, tally.sessions, new Set(items.map(({ id }) => id)))]
      },
    })
  await readActivity(robot, send)
}

async function readActivity({ username, tally }: Robot, send: (call: Call) => Promise<CallResult>): Promise<void> {
  const counts = new Map<string, number>()
  let cursor: string | null = null
  do {
    let next: string | null = null
    const observe = ({ status, body }: { status: number; body: unknown }): Observation[] => {
      const page = status === 200 ? schemas.page(schemas.activity).safeParse(body).data : undefined
      if (!page) return []
      next = page.nextCursor
      for (const { event, count = 1 } of page.items) counts.set(event, (counts.get(event) ?? 0) + count)
      return next === null ? [...compareEvents(username, tally.events, counts)] : []
    }
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    await send({ action: 'read activity', method: 'GET', path: `/v1/account/activity?limit=100${query}`, observe })
    cursor = next
  } while (cursor !== null)
}

function* compareEvents(
  username: string,
  expected: ReadonlyMap<string, { certain: number; possible: number }>,
  counts: ReadonlyMap<string, number>,
): Generator<Observation> {
  for (const [event, { certain, possible }] of expected) {
    const seen = counts.get(event) ?? 0
    const holds = seen >= certain && seen <= certain + possible
    const most = possible > 0 ? ' or more' : ''
    yield {
      claim: 'E',
      object: `${event} in the activity of ${username}`,
      expected: `${certain}${most}`,
      seen: `${seen}`,
      holds,
    }
  }
}

function compareSets(
  claim: 'S',
  object: string,
  expected: ReadonlySet<string>,
  seen: ReadonlySet<string>,
): Observation {
  const holds = expected.size === seen.size && [...expected].every((one) => seen.has(one))
  return { claim, object, expected: [...expected].sort().join(' '), seen: [...seen].sort().join(' '), holds }
}

function readable({ action, path }: Call, result: CallResult, stats: Stats): CallResult {
  if (result.status === 200 || result.status === 404) stats.recordSuccess(action)
  else {
    stats.recordFailure(action, result.cause)
    throw new Unreadable(`${path}: ${result.cause}`)
  }
  return result
}
