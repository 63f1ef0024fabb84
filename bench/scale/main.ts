import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Db } from 'mongodb'
import type { Connection } from '../../src/database/connection.ts'
import { withMongod } from '../mongod.ts'
import { connect } from '../servers/connect.ts'
import { startServer } from '../servers/start.ts'
import { fill, type Size } from './fill.ts'
import { password, type Reader, signUpReader } from './reader.ts'
import { requests } from './requests.ts'

const help = `Usage: npm run bench:scale -- [--factor <n>] [--rounds <n>]

Fills two databases, the second with <n> times as much as the first (default 100: 100,000 accounts, a million posts, ten
million reactions against 1,000, 10,000 and 100,000), and prints for each request its median time in both, in milliseconds,
its ratio, and the bytes of an account, a post and a reaction. Requests go one at a time, to both in turn, 10 in each of the
rounds (default 10). Needs about 3 GB of disk in the temporary folder. Exit code: 0 every ratio is under 1.5, otherwise 1.
`
const maxRatio = 1.5
const timesEach = 10
const followed = 30
const deletions = 5
const itemsOfDeleted = 100
const small: Size = { accounts: 1_000, posts: 10_000, reactions: 100_000, popular: 1_000 }

const { values } = parseArgs({
  options: {
    factor: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
})
const [factor, rounds] = [Number(values.factor), Number(values.rounds)]
const print = (line: string) => void process.stdout.write(`${line}\n`)

if (values.help) process.stdout.write(help)
else process.exitCode = await withMongod(bench)

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN
}

/** A server over a filled database. */
async function open(connection: Connection, name: string, size: Size) {
  const uri = new URL(connection.uri)
  uri.pathname = `/${name}`
  const own = { ...connection, uri: uri.href }
  const { client, db } = await connect(own)
  const start = () => startServer('rookery', own, { bcryptCost: 4, processes: 1, profileDir: undefined })
  // The server creates the indexes, and is started again so that it has not seen the filling.
  await (await start()).stop()
  const filled = await fill(db, size)
  const server = await start()
  const url = `http://127.0.0.1:${server.port}`
  const reader = await signUpReader(url, 'reader')
  for (const username of filled.usernames.slice(0, followed))
    await reader.send('PUT', `/v1/accounts/${username}/follow`)
  const close = async () => {
    await server.stop()
    await client.close()
  }
  return { db, url, reader, filled, close, list: requests(filled), times: new Map<string, number[]>() }
}

type Opened = Awaited<ReturnType<typeof open>>

async function timed({ times }: Opened, name: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now()
  await work()
  times.set(name, [...(times.get(name) ?? []), performance.now() - start])
}

/** Deletes an account that has written, reacted and followed. */
async function deleteAccount(opened: Opened): Promise<void> {
  const { url, filled } = opened
  const username = `leaver_${randomBytes(4).toString('hex')}`
  const leaver: Reader = await signUpReader(url, username)
  for (let n = 0; n < itemsOfDeleted; n += 1) {
    await leaver.send('POST', '/v1/posts', { text: `Post ${n}` })
    await leaver.send('PUT', `/v1/posts/${filled.ids[n * 3]}/reaction`, { value: 'like' })
  }
  await leaver.send('POST', '/v1/session/confirm', { password })
  await timed(opened, `delete an account with ${2 * itemsOfDeleted} items`, () => leaver.send('DELETE', '/v1/account'))
}

async function bench(connection: Connection): Promise<number> {
  const large = Object.fromEntries(Object.entries(small).map(([key, n]) => [key, n * factor])) as Size
  const sizes = [await open(connection, 'small', small), await open(connection, 'large', large)]
  const [one, other] = sizes
  if (!one || !other) return 1
  for (let round = -1; round < rounds; round += 1) {
    for (const { name } of one.list) {
      for (const opened of round % 2 === 0 ? sizes : sizes.toReversed()) {
        const request = opened.list.find((each) => each.name === name)
        if (!request) continue
        const { method = 'GET', path, body } = request
        for (let n = 0; n < timesEach; n += 1) {
          const number = (round + 1) * timesEach + n
          const send = () => opened.reader.send(method, path(number), body?.(number))
          // The first round warms up.
          if (round < 0) await send()
          else await timed(opened, name, send)
        }
      }
    }
  }
  for (let n = 0; n < deletions; n += 1) for (const opened of sizes) await deleteAccount(opened)
  print('| request | small, ms | large, ms | ratio |\n| ------- | --------: | --------: | ----: |')
  const ratios = [...one.times.keys()].map((name) => {
    const [before, after] = [median(one.times.get(name) ?? []), median(other.times.get(name) ?? [])]
    print(`| ${name} | ${before.toFixed(2)} | ${after.toFixed(2)} | ${(after / before).toFixed(2)} |`)
    return after / before
  })
  await printBytes(other.db, large)
  for (const { close } of sizes) await close()
  return ratios.every((ratio) => ratio < maxRatio) ? 0 : 1
}

/** On disk, compressed, with all indexes. */
async function printBytes(db: Db, size: Size): Promise<void> {
  const counted: [what: string, count: number, collections: string[]][] = [
    ['account (profile, name, counts)', size.accounts, ['accounts', 'usernames', 'accountCounts']],
    ['post', size.posts, ['posts']],
    ['reaction', size.reactions, ['reactions']],
  ]
  print('\n| one | bytes of documents | bytes of indexes |\n| --- | -----------------: | ---------------: |')
  for (const [what, count, names] of counted) {
    let [data, indexes] = [0, 0]
    for (const name of names) {
      const [stats] = await db
        .collection(name)
        .aggregate([{ $collStats: { storageStats: {} } }])
        .toArray()
      data += stats?.storageStats.storageSize ?? 0
      indexes += stats?.storageStats.totalIndexSize ?? 0
    }
    print(`| ${what} | ${(data / count).toFixed(0)} | ${(indexes / count).toFixed(0)} |`)
  }
}
