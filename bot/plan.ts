import { below, pick, type Random, randomStream } from './random.ts'

/** What an account may think of a post. */
export type Reaction = 'like' | 'dislike'

/** A post by its place in the run, known before any post exists. Replies come after an author's own posts. */
export type PostRef = { author: number; post: number }

/** One thing a robot does to one post; `value` is what stands afterwards. */
export type ReactionStep = PostRef & { action: 'like' | 'dislike' | 'change mind' | 'withdraw'; value: Reaction | null }

/** One thing a robot does to another. */
export type FollowStep = { robot: number; follows: boolean }

/**
 * How large a run is: `posts`, `replies`, `follows` and `reactions` are for each user; `deletions` is how many of a hundred
 * posts are deleted, and how many of a hundred accounts.
 */
export type CrowdSize = {
  users: number
  posts: number
  replies: number
  follows: number
  reactions: number
  deletions: number
}

/**
 * The reactions of one robot, in order. They depend on the seed, the robot and the size of the run alone: what others do,
 * and when, changes nothing.
 */
export function planReactions(seed: number, robot: number, size: CrowdSize): ReactionStep[] {
  if (size.posts === 0) return []
  const random = randomStream('reactions', seed, robot)
  const held = new Map<number, Reaction>()

  const change = (place: number, value: Reaction): ReactionStep => {
    const changed = value === 'like' ? 'dislike' : 'like'
    held.set(place, changed)
    return { ...target(place, size), action: 'change mind', value: changed }
  }

  return Array.from({ length: size.reactions }, (): ReactionStep => {
    const mood = random()
    if (held.size > 0 && mood < 0.35) {
      const [place, value] = pick(random, [...held])
      if (mood < 0.2) return change(place, value)
      held.delete(place)
      return { ...target(place, size), action: 'withdraw', value: null }
    }
    const place = popular(random, size.users * size.posts)
    const value = held.get(place)
    if (value !== undefined) return change(place, value)
    const liking = below(random, 10) < 7 ? 'like' : 'dislike'
    held.set(place, liking)
    return { ...target(place, size), action: liking, value: liking }
  })
}

/** What one robot replies to, in order. */
export function planReplies(seed: number, robot: number, size: CrowdSize): PostRef[] {
  if (size.posts === 0) return []
  const random = randomStream('replies', seed, robot)
  return Array.from({ length: size.replies }, () => target(popular(random, size.users * size.posts), size))
}

/** Whom one robot follows, and follows no longer, in order. */
export function planFollows(seed: number, robot: number, size: CrowdSize): FollowStep[] {
  if (size.users < 2) return []
  const random = randomStream('follows', seed, robot)
  const held = new Set<number>()
  return Array.from({ length: size.follows }, (): FollowStep => {
    if (held.size > 0 && random() < 0.2) {
      const other = pick(random, [...held])
      held.delete(other)
      return { robot: other, follows: false }
    }
    const other = (robot + 1 + popular(random, size.users - 1)) % size.users
    held.add(other)
    return { robot: other, follows: true }
  })
}

/** Which of its posts, replies among them, one robot deletes. */
export function planDeletions(seed: number, robot: number, size: CrowdSize): PostRef[] {
  const random = randomStream('removals', seed, robot)
  return Array.from({ length: size.posts + size.replies }, (_, post) => ({ author: robot, post })).filter(
    () => random() * 100 < size.deletions,
  )
}

/** Whether a robot deletes its account in the end: spread over the crowd, as many as were asked for. */
export function deletesAccount(robot: number, { deletions }: CrowdSize): boolean {
  return Math.floor(((robot + 1) * deletions) / 100) > Math.floor((robot * deletions) / 100)
}

/** The square makes some popular: many robots meet on one counter, as in life. */
const popular = (random: Random, count: number) => Math.floor(random() ** 2 * count)

function target(place: number, size: CrowdSize): PostRef {
  // Neighbouring places are different authors, so that the popular posts are not all one robot's.
  return { author: place % size.users, post: Math.floor(place / size.users) }
}
