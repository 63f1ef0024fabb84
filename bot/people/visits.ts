import type { Identity } from '../content.ts'
import { authorOf, postOf } from '../history/registers.ts'
import { type PostRef, type Reaction, zipf } from '../plan.ts'
import { pick, type Random, randomStream } from '../random.ts'
import { type Later, performHabit } from './habits.ts'
import type { Robot } from './robot.ts'
import { enrol, returnToPassword, useCodes } from './second-factor.ts'
import type { Step } from './steps.ts'
import { createPost, deletePost, editPost, follow, react } from './writing.ts'

/** Performs the steps of a robot's day, and the reading that comes with each: every write is read back at once. */
export class Visits {
  #robot: Robot
  #identities: readonly Identity[]
  #random: Random
  #base: URL
  #stop: AbortSignal
  #until: number
  #later: NonNullable<Later>[] = []

  /** `until`: performance.now() after which the robot looks around no more. */
  constructor(
    robot: Robot,
    identities: readonly Identity[],
    { base, stop, until }: { base: URL; stop: AbortSignal; until: number },
  ) {
    this.#robot = robot
    this.#identities = identities
    this.#random = randomStream('reads', robot.context.seed, robot.identity.index)
    this.#base = base
    this.#stop = stop
    this.#until = until
  }

  async perform(step: Step): Promise<void> {
    const robot = this.#robot
    const { username } = robot
    // Over other connections than the writes.
    const other = robot.reading(true)
    switch (step.kind) {
      case 'browse':
        return await this.#browse()
      case 'post':
        await this.#browse()
        await this.#browse()
        await createPost(robot, step.number)
        return await other.post(postOf(username, step.number))
      case 'reply': {
        const parent = this.#keyOf(step.parent)
        await this.#browse()
        await robot.reading().replies(parent)
        await createPost(robot, step.number, parent)
        return await other.replies(parent)
      }
      case 'react':
        return await this.#react({ ...step.post, key: this.#keyOf(step.post) }, step.value)
      case 'follow':
        return await this.#follow(step.target, step.follows)
      case 'edit':
        await this.#browse()
        await editPost(robot, step.number, step.version)
        return await other.post(postOf(username, step.number))
      case 'delete':
        await this.#browse()
        await robot.reading().posts(username)
        await deletePost(robot, step.number)
        return await other.posts(username)
      case 'profile':
        await this.#browse()
        await robot.reading().profile(username)
        await robot.changeProfile()
        return await other.profile(username)
      case 'enrol':
        await this.#browse()
        return await enrol(robot, this.#stop)
      case 'use codes':
        await this.#browse()
        return await useCodes(robot)
      case 'remove factor':
        await this.#browse()
        return await returnToPassword(robot)
      default: {
        const victim = { author: (robot.identity.index + 1) % this.#identities.length, post: 0 }
        const surroundings = { base: this.#base, stop: this.#stop, victim: { ...victim, key: this.#keyOf(victim) } }
        await this.#browse()
        const later = await performHabit(robot, step.kind, surroundings)
        if (later) this.#later.push(later)
      }
    }
  }

  /** What the habits have left to do. */
  async end(): Promise<void> {
    for (const later of this.#later.splice(0)) await later()
  }

  async #react(ref: PostRef & { key: string }, value: Reaction | null): Promise<void> {
    const robot = this.#robot
    if ((await robot.context.directory.whenKnown(ref.key)) === null) return
    await this.#browse()
    await robot.reading().profile(authorOf(ref.key))
    await robot.reading().post(ref.key)
    await react(robot, ref, value)
    await robot.reading(true).post(ref.key)
    if (this.#random() < 0.3) await robot.reading().reactions(ref.key)
  }

  async #follow(target: number, follows: boolean): Promise<void> {
    const robot = this.#robot
    const username = this.#identities[target]?.username ?? ''
    if (!(await robot.context.directory.whenJoined(username))) return
    await robot.reading().profile(username)
    await robot.reading().posts(username)
    await follow(robot, username, follows)
    await robot.reading(true).profile(username)
    await robot.reading().timeline(robot.username)
  }

  async #browse(): Promise<void> {
    if (performance.now() > this.#until) return
    const robot = this.#robot
    const { directory } = robot.context
    const reading = robot.reading(this.#random() < 0.5)
    const chance = this.#random()
    const post = directory.known.length > 0 ? directory.known[zipf(this.#random, directory.known.length)] : undefined
    const { username } = pick(this.#random, this.#identities)
    if (chance < 0.25) return await reading.everyPost()
    if (chance < 0.5) return await reading.timeline(robot.username)
    if (chance < 0.6) return await reading.given(robot.username)
    if (chance < 0.8 && post !== undefined) {
      await reading.post(post)
      return await reading.replies(post)
    }
    await reading.profile(username)
    if (chance < 0.9) return await reading.posts(username)
    await reading.followers(username)
    await reading.following(username)
  }

  #keyOf({ author, post }: PostRef): string {
    return postOf(this.#identities[author]?.username ?? '', post)
  }
}
