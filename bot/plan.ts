import { below, pick, randomStream } from './random.ts'

/** What an account may think of a post. */
export type Reaction = 'like' | 'dislike'

/** A post by its place in the run, known before any post exists. */
export type Target = { author: number; post: number }

/** One thing a robot does to one post; `value` is what stands afterwards. */
export type Step = Target & { action: 'like' | 'dislike' | 'change mind' | 'withdraw'; value: Reaction | null }

/** How large a run is: `posts` and `reactions` are for each user. */
export type Size = { users: number; posts: number; reactions: number }

/**
 * The reactions of one robot, in order. They depend on the seed, the robot and the size of the run alone: what others do,
 * and when, changes nothing.
 */
export function planReactions(seed: number, robot: number, size: Size): Step[] {
  if (size.posts === 0) return []
  const random = randomStream('reactions', seed, robot)
  const held = new Map<number, Reaction>()

  const change = (place: number, value: Reaction): Step => {
    const changed = value === 'like' ? 'dislike' : 'like'
    held.set(place, changed)
    return { ...target(place, size), action: 'change mind', value: changed }
  }

  return Array.from({ length: size.reactions }, (): Step => {
    const mood = random()
    if (held.size > 0 && mood < 0.35) {
      const [place, value] = pick(random, [...held])
      if (mood < 0.2) return change(place, value)
      held.delete(place)
      return { ...target(place, size), action: 'withdraw', value: null }
    }
    // The square makes some posts popular: many robots meet on one counter, as in life.
    const place = Math.floor(random() ** 2 * size.users * size.posts)
    const value = held.get(place)
    if (value !== undefined) return change(place, value)
    const liking = below(random, 10) < 7 ? 'like' : 'dislike'
    held.set(place, liking)
    return { ...target(place, size), action: liking, value: liking }
  })
}

function target(place: number, size: Size): Target {
  // Neighbouring places are different authors, so that the popular posts are not all one robot's.
  return { author: place % size.users, post: Math.floor(place / size.users) }
}
