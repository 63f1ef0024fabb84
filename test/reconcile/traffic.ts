import type { Db, MongoClient, UUID } from 'mongodb'
import { isDatabaseOutOfReach } from '../../src/database/failures.ts'
import { newId } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { follow } from '../../src/follows/follow.ts'
import { createPosts } from '../../src/posts/create.ts'
import { removePosts } from '../../src/posts/delete.ts'
import { react } from '../../src/reactions/react.ts'

const values = ['like', 'dislike', null] as const

/**
 * What several servers do at once, each in transactions of its own, until it is stopped: posts, replies, reactions and
 * removals by these accounts. `done` tells how many writes were committed, `stop` when the last one is.
 */
export function traffic(client: MongoClient, db: Db, accounts: readonly UUID[], alive: UUID[], servers = 6) {
  const transact = transactor(client)
  const inside = { writer: 1, isGone: () => false }
  const write = {
    create: createPosts(db, inside),
    remove: removePosts(db),
    react: react(db, inside),
    follow: follow(db, inside),
  }
  const known = alive.map(String)
  const authors = new Map<string, string>()
  const one = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T // never empty here
  let running = true
  let done = 0

  async function create() {
    const [id, author] = [newId(), one(accounts).toString()]
    const replyTo = Math.random() < 0.6 && known.length > 0 ? one(known) : null
    const wish = { id, author, text: '.', replyTo, claim: null }
    const [created] = await transact((session) => write.create([wish], session))
    if (created?.outcome !== 'created') return
    known.push(id)
    authors.set(id, author)
  }

  async function remove() {
    const post = one([...authors.keys()])
    const by = authors.get(post)
    if (by === undefined) return
    authors.delete(post)
    known.splice(known.indexOf(post), 1)
    const wish = { id: newId(), post, by }
    await transact((session) => write.remove([wish], session))
  }

  async function reactToSome() {
    const wishes = Array.from({ length: 5 }, () => {
      return { post: one(known), account: one(accounts).toString(), value: one(values), order: newId() }
    })
    await transact((session) => write.react(wishes, session))
  }

  async function followSome() {
    const wishes = Array.from({ length: 5 }, () => {
      const [from, to] = [one(accounts).toString(), one(accounts).toString()]
      return { from, to, follows: Math.random() < 0.6, order: newId() }
    })
    await transact((session) => write.follow(wishes, session))
  }

  async function serve() {
    while (running) {
      const dice = Math.random()
      try {
        if (known.length === 0 || dice < 0.35) await create()
        else if (dice < 0.5) await remove()
        else if (dice < 0.65) await followSome()
        else await reactToSome()
        done += 1
      } catch (error) {
        // Held back for too long: nothing was written.
        if (!isDatabaseOutOfReach(error)) throw error
      }
    }
  }

  const serving = Promise.all(Array.from({ length: servers }, serve))
  return {
    done: () => done,
    async stop() {
      running = false
      await serving
      return done
    },
  }
}
