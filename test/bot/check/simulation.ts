import { Checker, type CheckerOptions } from '../../../bot/check/checker.ts'
import { History } from '../../../bot/history/history.ts'
import type { ListItem, Observation } from '../../../bot/history/operation.ts'
import { authorOf, lists, registers } from '../../../bot/history/registers.ts'
import { below, pick, type Random, randomStream } from '../../../bot/random.ts'
import { copyOf, type Request, requestsOf, type SimulatedPost, SimulatedServer } from './simulated-server.ts'

/** What a mutation may change; each is called with a random number's help in the middle of the run. */
export type Lies = {
  /** false: the server acknowledges the write and does not do it. */
  applies?: (action: string, random: Random) => boolean
  /** How long after the answer a write that is acknowledged takes effect. */
  delayMs?: (action: string, random: Random) => number
  observations?: (observations: Observation[], random: Random, server: SimulatedServer) => Observation[]
  /** What is done besides. */
  afterApply?: (action: string, server: SimulatedServer, random: Random) => void
}

export type Simulation = { seed: number; robots?: number; steps?: number; faults?: boolean; lies?: Lies }

type Fate = 'answered' | 'refused' | 'indeterminate' | 'late'
/** Runs robots against a simulated server, in virtual time, and returns what the checker found. */
export function simulate(
  { seed, robots = 3, steps = 40, faults = true, lies = {} }: Simulation,
  options?: CheckerOptions,
) {
  const random = randomStream('simulation', seed)
  const server = new SimulatedServer()
  const checker = new Checker(options)
  let now = 0
  const history = new History(() => now)
  history.listen(checker)
  const queue: { at: number; run: () => void }[] = []
  const schedule = (at: number, run: () => void) => {
    const index = queue.findLastIndex((event) => event.at <= at)
    queue.splice(index + 1, 0, { at, run })
  }
  const wait = (longest: number) => 0.001 + random() * longest
  /** By register: when the newest of the writes that have taken effect was sent. */
  const newest = new Map<string, number>()

  /** Sends a request; `then` gets its answer, or null. */
  function send(robot: number, request: Request, then: (status: number | null) => void) {
    const operation = history.begin({ robot, action: request.action }, request.writes)
    const fate: Fate =
      faults && random() < 0.2 ? pick(random, ['refused', 'indeterminate', 'late'] as const) : 'answered'
    const sentAt = now
    const names = request.writes.map(({ register }) => register)
    let result: { status: number; seen: Observation[] } | undefined
    const apply = () => {
      const truthful = lies.applies?.(request.action, random) ?? true
      result = request.apply(truthful ? server : copyOf(server))
      for (const name of names) newest.set(name, Math.max(sentAt, newest.get(name) ?? 0))
      lies.afterApply?.(request.action, server, random)
    }
    const end = (status: number | null, cause: string, seen: Observation[]) => {
      history.end(operation, { status, cause, requestId: `request-${operation.id}` }, seen)
      then(status)
    }
    const endsIn = wait(20)
    if (fate === 'refused') return schedule(now + endsIn, () => end(503, '503 overloaded', []))
    if (fate === 'answered') {
      const delay = lies.delayMs?.(request.action, random) ?? 0
      if (delay > 0) {
        const result = request.apply(copyOf(server))
        schedule(now + endsIn, () => end(result.status, String(result.status), result.seen))
        return schedule(now + endsIn + delay, apply)
      }
      schedule(now + wait(endsIn), apply)
      return schedule(now + endsIn + 0.001, () => {
        const { status, seen } = result ?? { status: 500, seen: [] }
        end(status, String(status), lies.observations?.(seen, random, server) ?? seen)
      })
    }
    // Never after a later write that was acknowledged, unless it is late.
    const applyLater = () => {
      if (fate === 'late' || names.every((name) => (newest.get(name) ?? 0) < sentAt)) apply()
    }
    if (random() < 0.6) schedule(now + (fate === 'late' ? endsIn + wait(60) : wait(endsIn * 2)), applyLater)
    schedule(now + endsIn + 0.001, () => end(null, fate === 'late' ? 'timeout' : 'ECONNRESET', []))
  }

  const names = Array.from({ length: robots }, (_, robot) => `robot${robot}`)
  const known: string[] = []
  const leaving = new Set<number>()
  const requests = requestsOf(random, known)

  /** Walks a list of posts with a keyset, two or three items a page. */
  function walk(list: string, items: () => SimulatedPost[], done: () => void) {
    const since = now
    const read: ListItem[] = []
    const size = 2 + below(random, 2)
    const pages = 1 + below(random, 6)
    const step = (page: number, after: string) => {
      let found: SimulatedPost[] = []
      const request = {
        action: 'list',
        writes: [],
        apply: () => {
          found = items().filter(({ id }) => after === '' || id < after)
          return { status: 200, seen: [] }
        },
      }
      const operation = history.begin({ robot: 0, action: 'list' })
      schedule(now + wait(10), () => request.apply())
      schedule(now + 10.001, () => {
        const items = found.slice(0, size)
        read.push(...items.map(({ post, id, at }) => ({ key: post, id, at })))
        const complete = found.length <= size
        const ends = complete || page === pages
        const seen: Observation[] = ends ? [{ list, items: read, since, complete }] : []
        const told = lies.observations?.(seen, random, server) ?? seen
        history.end(operation, { status: 200, cause: '200', requestId: `request-${operation.id}` }, told)
        if (ends) done()
        else step(page + 1, items.at(-1)?.id ?? '')
      })
    }
    step(1, '')
  }
  function act(robot: number, left: number): void {
    const name = names[robot] ?? ''
    const next = () => schedule(now + wait(5), () => act(robot, left - 1))
    if (left > 0) perform(robot, name, next)
    else if (leaving.has(robot)) leave(robot)
  }

  function perform(robot: number, name: string, next: () => void) {
    const own = known.filter((post) => authorOf(post) === name)
    const [choice, other] = [random(), pick(random, names)]
    const post = known.length > 0 ? pick(random, known) : undefined
    const followed = () =>
      server.roots().filter(({ post }) => authorOf(post) === name || server.follows.get(name)?.has(authorOf(post)))
    if (!post || choice < 0.12) return send(robot, requests.createPost(name), next)
    if (choice < 0.35) return send(robot, requests.react(name, post), next)
    if (choice < 0.42 && own.length > 0) return send(robot, requests.edit(name, pick(random, own)), next)
    if (choice < 0.45 && own.length > 0) return send(robot, requests.remove(name, pick(random, own)), next)
    if (choice < 0.55 && other !== name) return send(robot, requests.follow(name, other), next)
    if (choice < 0.7) return send(robot, requests.readPost(name, post), next)
    if (choice < 0.78) return send(robot, requests.readProfile(name, other), next)
    if (choice < 0.84) return walk(lists.everyPost, server.roots, next)
    if (choice < 0.88) return walk(lists.posts(other), () => server.postsOf(other), next)
    if (choice < 0.92) return walk(lists.replies(post), () => server.replies(post), next)
    if (choice < 0.96) return walk(lists.timeline(name), followed, next)
    return send(robot, choice < 0.97 ? requests.followers(other, now) : requests.reactions(post, now), next)
  }

  function signUp(robot: number): void {
    const name = names[robot] ?? ''
    const operation = history.begin({ robot, action: 'sign up' }, [{ register: registers.account(name), value: true }])
    server.accounts.add(name)
    history.end(operation, { status: 201, cause: '201', requestId: null })
    if (random() < 0.3) leaving.add(robot)
    schedule(now + wait(5), () => act(robot, leaving.has(robot) ? Math.floor(steps / 2) : steps))
  }

  function leave(robot: number): void {
    const name = names[robot] ?? ''
    const apply = (server: SimulatedServer) => {
      server.removeAccount(name)
      return { status: 204, seen: [] }
    }
    send(
      robot,
      { action: 'delete account', writes: [{ register: registers.account(name), value: false }], apply },
      () => {},
    )
  }

  for (let robot = 0; robot < robots; robot += 1) signUp(robot)
  for (let event = queue.shift(); event; event = queue.shift()) {
    now = event.at
    event.run()
  }
  return checker
}
