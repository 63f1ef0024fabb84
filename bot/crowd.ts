import { randomUUID } from 'node:crypto'
import { CookieJar } from 'tough-cookie'
import { interrupted, openClients, type World } from './client.ts'
import { forEach, Gate } from './concurrency.ts'
import { identity, postText } from './content.ts'
import { Ledger } from './ledger.ts'
import { leaves, planFollows, planReactions, planRemovals, planReplies, type Size } from './plan.ts'
import type { Progress } from './progress.ts'
import { Unreadable } from './reader.ts'
import { Person } from './robot.ts'
import { GaveUp, type Surroundings } from './session-client.ts'
import { readBack, readBackSize } from './verify.ts'
import { lookAtTimeline } from './verify-timeline.ts'

/** What came of a run. */
export type Findings = {
  totals: ReturnType<Ledger['totals']>
  disagreements: string[]
  /** Why reading back could not be finished, or null. */
  unreadable: string | null
  /** Why robots could not go on, each with how many. */
  gaveUp: Map<string, number>
}

// A sign-up or log-in costs the server a quarter of a second of a core; more at once only fill its queue.
const doorsAtOnce = 16
const leavingAtOnce = 8

/** How many things one robot does while it mingles. */
const stepsOf = ({ posts, replies, follows, reactions }: Size) =>
  follows + (posts === 0 ? 0 : replies + Math.ceil(reactions / 2))

/**
 * Lets the crowd live its day, one phase after the other, and reads everything back. Once `world.stop` is aborted nothing
 * new is begun, and what was acknowledged until then is read back.
 */
export async function runCrowd(seed: number, size: Size, world: World, progress: Progress): Promise<Findings> {
  const ledger = new Ledger()
  const openClient = openClients(world)
  const doors = new Gate(doorsAtOnce)
  // Another run has other keys, so that the same texts become new posts.
  const around: Surroundings = { ledger, tally: world.tally, doors, runId: randomUUID(), openClient }
  const people = Array.from({ length: size.users }, (_, i) => new Person(identity(seed, i), new CookieJar(), around))
  const gone = new Set<Person>()
  const gaveUp = new Map<string, number>()

  const phase = async (name: string, each: number, live: (person: Person, done: () => void) => Promise<void>) => {
    if (world.stop.aborted) return
    const shown = progress.begin(name, people.length * each)
    await forEach(people, people.length, async (person) => {
      if (gone.has(person)) return
      await live(person, shown.step).catch((error: unknown) => {
        if (!(error instanceof GaveUp)) throw error
        gone.add(person)
        if (error.message !== interrupted) gaveUp.set(error.message, (gaveUp.get(error.message) ?? 0) + 1)
      })
    })
    shown.end()
  }

  await phase('sign up', 1, async (person, done) => {
    await person.arrive()
    done()
  })
  await phase('come back', 1, async (person, done) => {
    await person.logOut()
    await person.logIn()
    done()
  })
  await phase('post', size.posts, async (person, done) => {
    const author = person.identity.index
    for (let post = 0; post < size.posts; post += 1) {
      await person.write({ author, post }, postText(seed, author, post))
      done()
    }
  })
  const first = (robot: number) => planReactions(seed, robot, size).slice(0, Math.ceil(size.reactions / 2))
  await phase('mingle', stepsOf(size), async (person, done) => {
    const author = person.identity.index
    for (const [n, parent] of planReplies(seed, author, size).entries()) {
      const post = size.posts + n
      await person.write({ author, post }, postText(seed, author, post), parent)
      done()
    }
    for (const { robot, follows } of planFollows(seed, author, size)) {
      const other = people[robot]
      if (other) await person.follow(other.identity, follows)
      done()
    }
    for (const step of first(author)) {
      await person.react(step)
      done()
    }
  })
  const misread: string[] = []
  await phase('look', 1, async (person, done) => {
    misread.push(...(await lookAtTimeline(person, ledger)))
    done()
  })
  // Who deletes meets those who still react to it.
  const leaving = new Gate(leavingAtOnce)
  await phase('part', 1, async (person, done) => {
    const robot = person.identity.index
    const left = [...planReactions(seed, robot, size).slice(first(robot).length).entries()]
    const removals = planRemovals(seed, robot, size)
    const every = Math.max(1, Math.floor(left.length / (removals.length + 1)))
    for (const [n, step] of left) {
      await person.react(step)
      const removal = n % every === 0 ? removals.shift() : undefined
      if (removal) await person.remove(removal)
    }
    for (const removal of removals) await person.remove(removal)
    if (leaves(robot, size) && (await leaving.through(() => person.leave()))) gone.add(person)
    done()
  })

  const auditor = openClients({ ...world, stop: new AbortController().signal })()
  const shown = progress.begin('read back', readBackSize(ledger))
  const result = await readBack(auditor, ledger, world.tally, shown.step).catch((error: unknown) => {
    if (!(error instanceof Unreadable)) throw error
    return error.message
  })
  shown.end()

  await phase('log out', 1, async (person, done) => {
    await person.logOut()
    done()
  })
  const read =
    typeof result === 'string'
      ? { disagreements: misread, unreadable: result }
      : { disagreements: [...misread, ...result], unreadable: null }
  return { totals: ledger.totals(), ...read, gaveUp }
}
