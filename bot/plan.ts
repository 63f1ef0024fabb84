import { below, pick, type Random, randomStream } from './random.ts'

export type Reaction = 'like' | 'dislike'

/** Identifies a post before it exists: author and number within the author's posts, replies after root posts. */
export type PostRef = { author: number; post: number }

/** `value` is the reaction after the step. */
export type ReactionStep = PostRef & { action: ReactionAction; value: Reaction | null }

export type ReactionAction = 'like' | 'dislike' | 'change reaction' | 'remove reaction'

export type FollowStep = { target: number; follows: boolean }

/** `posts`, `replies`, `follows` and `reactions` are per user, `deletions` is a percentage of posts and of accounts. */
export type CrowdSize = {
  users: number
  posts: number
  replies: number
  follows: number
  reactions: number
  deletions: number
}

/** Like all plans, depends on the arguments only: neither time nor other robots change it. */
export function planReactions(seed: number, robot: number, size: CrowdSize): ReactionStep[] {
  if (size.posts === 0) return []
  const random = randomStream('reactions', seed, robot)
  const current = new Map<number, Reaction>()

  const change = (index: number, value: Reaction): ReactionStep => {
    const changed = value === 'like' ? 'dislike' : 'like'
    current.set(index, changed)
    return { ...postAt(index, size), action: 'change reaction', value: changed }
  }

  return Array.from({ length: size.reactions }, (): ReactionStep => {
    const chance = random()
    if (current.size > 0 && chance < 0.35) {
      const [index, value] = pick(random, [...current])
      if (chance < 0.2) return change(index, value)
      current.delete(index)
      return { ...postAt(index, size), action: 'remove reaction', value: null }
    }
    const index = zipf(random, size.users * size.posts)
    const value = current.get(index)
    if (value !== undefined) return change(index, value)
    const reaction = below(random, 10) < 7 ? 'like' : 'dislike'
    current.set(index, reaction)
    return { ...postAt(index, size), action: reaction, value: reaction }
  })
}

/** Only to posts that stay: whether a reply to another exists would depend on who is faster. */
export function planReplies(seed: number, robot: number, size: CrowdSize): PostRef[] {
  if (size.posts === 0) return []
  const random = randomStream('replies', seed, robot)
  return Array.from({ length: size.replies }, () => {
    const tries = Array.from({ length: maxParentTries }, () => postAt(zipf(random, size.users * size.posts), size))
    return tries.find((parent) => !isDeleted(seed, parent, size))
  }).filter((parent) => parent !== undefined)
}

const maxParentTries = 20

/** Whether its author deletes a post, or with the account. */
export function isDeleted(seed: number, { author, post }: PostRef, size: CrowdSize): boolean {
  return deletesAccount(author, size) || planDeletions(seed, author, size).some((deleted) => deleted.post === post)
}

export function planFollows(seed: number, robot: number, size: CrowdSize): FollowStep[] {
  if (size.users < 2) return []
  const random = randomStream('follows', seed, robot)
  const followed = new Set<number>()
  return Array.from({ length: size.follows }, (): FollowStep => {
    if (followed.size > 0 && random() < 0.2) {
      const target = pick(random, [...followed])
      followed.delete(target)
      return { target, follows: false }
    }
    const target = (robot + 1 + zipf(random, size.users - 1)) % size.users
    followed.add(target)
    return { target, follows: true }
  })
}

export function planDeletions(seed: number, robot: number, size: CrowdSize): PostRef[] {
  const random = randomStream('removals', seed, robot)
  return Array.from({ length: size.posts + size.replies }, (_, post) => ({ author: robot, post })).filter(
    () => random() * 100 < size.deletions,
  )
}

/** Whether a robot deletes its account: exactly `deletions` percent do, spread evenly over the indexes. */
export function deletesAccount(robot: number, { deletions }: CrowdSize): boolean {
  return Math.floor(((robot + 1) * deletions) / 100) > Math.floor((robot * deletions) / 100)
}

/** Whether a robot enrols an authenticator app: one in eight, and so at least one of the ten of a run without options. */
export function carriesFactor(seed: number, robot: number): boolean {
  return (robot + (seed % 8)) % 8 === 0
}

/** Whether a robot with an app removes it on its day: every second one, the others when they leave. */
export function removesFactor(seed: number, robot: number): boolean {
  return (robot + (seed % 16)) % 16 === 0
}

/** An index below `count`, by Zipf's law: the first is chosen twice as often as the second. */
export const zipf = (random: Random, count: number) => Math.min(count - 1, Math.floor((count + 1) ** random()) - 1)

function postAt(index: number, size: CrowdSize): PostRef {
  // Consecutive indexes belong to different authors, so that the popular posts do too.
  return { author: index % size.users, post: Math.floor(index / size.users) }
}
