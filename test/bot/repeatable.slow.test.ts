import { type Db, MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { withFaultyDatabase } from '../../bot/chaos/database.ts'
import { processFaults } from '../../bot/chaos/process-faults.ts'
import { type Findings, runCrowd } from '../../bot/crowd.ts'
import { effectOf, type Operation, type Write } from '../../bot/history/operation.ts'
import { isRunning, spawnServer, waitUntilReady, withLocalServer } from '../../bot/spawn-server.ts'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { createRunContext } from './run-crowd.ts'

const seed = 9
const size = { users: 5, posts: 4, replies: 4, follows: 5, reactions: 12, deletions: 20 }
const patience = { totalMs: 240_000, attemptTimeoutMs: 60_000 }

/** Usernames hold the run before their last part, the robot's number. */
const stable = (name: string): string => name.replaceAll(/\w+_(\w+)/g, '$1')

/** What a run left behind: a line for each register and each post's counts, by names that another run has too. */
async function stateOf(db: Db): Promise<Map<string, string>> {
  const all = (name: string) => db.collection(name).find().toArray()
  const accounts = new Map((await all('accounts')).map((account) => [`${account._id}`, account]))
  const usernameOf = (id: unknown) => stable(accounts.get(`${id}`)?.username ?? '?')
  // A deleted account's posts, and a deleted post's reactions, are swept later.
  const posts = (await all('posts')).filter(({ author }) => accounts.has(`${author}`))
  const nameOf = new Map(
    posts.map(({ _id, author, text }) => [`${_id}`, `${usernameOf(author)}/${text.split('.')[0]}`]),
  )
  const state = new Map<string, string>()
  for (const { username, displayName, bio } of accounts.values())
    state.set(`displayName:${stable(username)}`, displayName).set(`bio:${stable(username)}`, bio)
  for (const { _id, text, replyTo, counts } of posts) {
    const name = nameOf.get(`${_id}`)
    state.set(`post:${name}`, replyTo ? `to ${nameOf.get(`${replyTo}`)}` : 'a root').set(`text:${name}`, text)
    state.set(`counts:${name}`, `${counts.likes} ${counts.dislikes} ${counts.replies}`)
  }
  for (const { post, account, value } of await all('reactions'))
    if (nameOf.has(`${post}`) && accounts.has(`${account}`))
      state.set(`reaction:${usernameOf(account)}:${nameOf.get(`${post}`)}`, value)
  for (const { from, to } of await all('follows'))
    if (accounts.has(`${from}`) && accounts.has(`${to}`))
      state.set(`follow:${usernameOf(from)}:${usernameOf(to)}`, 'follows')
  return state
}

function differences(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name))
}

/** Listens to a history, and knows the writes whose outcome is open: they may have happened or not. */
class OpenWrites {
  #open = new Map<string, Write>()
  #inFlight = new Map<number, readonly Write[]>()

  begin({ id }: Operation, writes: readonly Write[]): void {
    this.#inFlight.set(id, writes)
  }

  end(operation: Operation): void {
    const effect = effectOf(operation)
    for (const write of this.#inFlight.get(operation.id) ?? []) {
      if (effect === 'acknowledged') this.#open.delete(write.register)
      else if (effect !== 'refused') this.#open.set(write.register, write)
    }
    this.#inFlight.delete(operation.id)
  }

  /** Whether a line of the state may differ: one of its register, of its post's counts, or of a deleted account. */
  explain(line: string): boolean {
    const [kind = '', ...parts] = line.split(':')
    return [...this.#open.values()].some(({ register, parent }) => {
      const name = stable(register)
      const [, ...objects] = name.split(':')
      if (name === line || (name.startsWith('account:') && parts.some((part) => part.split('/')[0] === objects[0])))
        return true
      return kind === 'counts' && (objects.includes(parts[0] ?? '') || stable(parent ?? '') === parts[0])
    })
  }
}

/** The counts of a post may also differ where a reaction or a reply of an account does whose deletion is open. */
function unexplainedDifferences(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
  open: OpenWrites,
) {
  const different = differences(one, other)
  const mayDiffer = different.filter((line) => open.explain(line))
  const isCountedIn = (line: string, post: string) =>
    line.startsWith('reaction:') ? line.endsWith(`:${post}`) : (one.get(line) ?? other.get(line)) === `to ${post}`
  return different.filter((line) => {
    const [kind, post = ''] = line.split(':')
    return !mayDiffer.includes(line) && !(kind === 'counts' && mayDiffer.some((cause) => isCountedIn(cause, post)))
  })
}

/** Runs the crowd; `onStep` is called with the part of the day that is over. */
async function run(url: string, onStep: (done: number) => void = () => {}) {
  const { context, stats } = createRunContext(url, patience)
  const open = new OpenWrites()
  context.history.listen(open)
  const progress = {
    begin(name: string, total: number) {
      let done = 0
      return { step: () => name === 'day' && onStep(++done / total), end: () => {} }
    },
  }
  const findings: Findings = await runCrowd(seed, size, context, progress)
  t.strictSame(findings.findings, [])
  t.strictSame([...findings.gaveUp], [])
  t.equal(findings.unreadable, null)
  return { open, stats }
}

async function cleanState(t: Test): Promise<Map<string, string>> {
  const { url, db } = await testServer(t)
  await run(url)
  return stateOf(db)
}

t.test('runs of one seed on fresh servers leave the same state', { timeout: 450_000 }, async (t) => {
  const [first, second] = [await cleanState(t), await cleanState(t)]
  t.ok(first.size > 60, `${first.size} lines`)
  t.strictSame(differences(first, second), [])

  await t.test('under kill -9, too, but for writes whose outcome is open', async (t) => {
    process.env.MONGOD_BINARY = process.env.TEST_MONGOD_BINARY ?? ''
    const directory = t.testdir()
    await withFaultyDatabase(directory, async ({ settings }) => {
      const quiet = { LOG_LEVEL: 'silent', BCRYPT_COST: '4', ...settings }
      await withLocalServer(directory, quiet, async (server) => {
        t.ok(await waitUntilReady(server))
        const faults = processFaults(server)
        const kills = (['kill-mongod', 'kill-server', 'kill-mongod', 'kill-server'] as const).entries()
        const fallen: string[] = []
        let next = kills.next()
        let last = Promise.resolve()
        const kill = async (name: 'kill-mongod' | 'kill-server') => {
          if (await faults[name](new AbortController().signal)) fallen.push(name)
          if (!isRunning(server.program)) server.program = spawnServer(server)
          await waitUntilReady(server)
        }
        const { open, stats } = await run(server.url, (done) => {
          if (next.done || done < (next.value[0] + 1) / 5) return
          const [, name] = next.value
          last = last.then(() => kill(name)).catch((error) => void t.fail(error))
          next = kills.next()
        })
        await last
        t.same(fallen, ['kill-mongod', 'kill-server', 'kill-mongod', 'kill-server'])
        t.ok(stats.retries().length > 0, 'requests met the kills')

        const auth = { username: settings.DB_USER ?? '', password: settings.DB_PASSWORD ?? '' }
        const client = await MongoClient.connect(settings.MONGODB_URI ?? '', { auth, authSource: 'admin' })
        let unexplained: string[] = []
        // The reactions of an account are withdrawn after its deletion, which a kill delays.
        const isAsExpected = async () => {
          unexplained = unexplainedDifferences(first, await stateOf(client.db()), open)
          return unexplained.length === 0
        }
        await eventually(isAsExpected, { everyMs: 500 }).catch(() => {})
        await client.close()
        t.strictSame(unexplained, [])
      })
    })
  })
})
