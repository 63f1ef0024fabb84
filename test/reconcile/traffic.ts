import type { Db, MongoClient, UUID } from 'mongodb'
import { isDatabaseOutOfReach } from '../../src/database/failures.ts'
import { newId } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { follow } from '../../src/follows/follow.ts'
import { createPost } from '../../src/posts/create.ts'
import { deletePost } from '../../src/posts/delete.ts'
import { react } from '../../src/reactions/react.ts'
import { unfenced } from '../../src/writer/batch-context.ts'
import type { WriteOperation } from '../../src/writer/operation.ts'

const values = ['like', 'dislike', null] as const

/**
 * The concurrent writes of several servers, each in transactions of its own, until stopped: posts, replies, reactions,
 * follows and deletions by these accounts. `done` returns how many writes were committed; `stop` waits for the last.
 */
export function traffic(client: MongoClient, db: Db, accounts: readonly UUID[], posts: UUID[], servers = 6) {
  const transact = transactor(client)
  const apply = <Command extends object, Result>(
    operation: WriteOperation<Command, Result>,
    commands: readonly Command[],
  ) => transact((session) => operation.apply({ ...unfenced(db, session), writer: 1 }, commands))
  const existing = posts.map(String)
  const authors = new Map<string, string>()
  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T // never empty
  let running = true
  let done = 0

  async function create() {
    const [id, author] = [newId(), pick(accounts).toString()]
    const replyTo = Math.random() < 0.6 && existing.length > 0 ? pick(existing) : null
    const [created] = await apply(createPost, [{ id, author, text: '.', replyTo, claim: null }])
    if (created?.outcome !== 'created') return
    existing.push(id)
    authors.set(id, author)
  }

  async function remove() {
    const post = pick([...authors.keys()])
    const by = authors.get(post)
    if (by === undefined) return
    authors.delete(post)
    existing.splice(existing.indexOf(post), 1)
    await apply(deletePost, [{ id: newId(), post, by }])
  }

  async function reactToPosts() {
    const commands = Array.from({ length: 5 }, () => {
      return { post: pick(existing), account: pick(accounts).toString(), value: pick(values), order: newId() }
    })
    await apply(react, commands)
  }

  async function followAccounts() {
    const commands = Array.from({ length: 5 }, () => {
      const [from, to] = [pick(accounts).toString(), pick(accounts).toString()]
      return { from, to, follows: Math.random() < 0.6, order: newId() }
    })
    await apply(follow, commands)
  }

  async function serve() {
    while (running) {
      const dice = Math.random()
      try {
        if (existing.length === 0 || dice < 0.35) await create()
        else if (dice < 0.5) await remove()
        else if (dice < 0.65) await followAccounts()
        else await reactToPosts()
        done += 1
      } catch (error) {
        // No commit in time: nothing was written.
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
