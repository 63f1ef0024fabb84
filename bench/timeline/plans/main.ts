import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { PostDocument } from '../../../src/posts/document.ts'
import { measureCold } from './cold.ts'
import { fillPosts, newAuthors } from './data.ts'
import { measureFollows } from './follows.ts'
import { measureLoad } from './load.ts'
import { type Mongod, withData } from './mongod.ts'
import { examinePages, measurePages } from './pages.ts'
import { measurePlans } from './plans.ts'
import { placesOf, readersOf } from './readers.ts'
import { newIndex, oldIndexes } from './ways.ts'
import { measureWrites } from './writes.ts'

// The last one starts mongod anew.
const parts = ['pages', 'plans', 'load', 'follows', 'writes', 'cold']
const help = `Usage: npm run bench:timeline:plans -- [--posts <n>] [--only <part>]…

Fills a mongod of its own with posts over a year (default 1000000), and compares the ways to read a timeline from them:
for those who follow 10 to 5,000 accounts that write much, some, nothing or only replies, from the first page to near
the end, with MongoDB's plans as others left them, many at a time, and after a start. Also: how to read whom one
follows, and what the index costs whoever writes. Parts: ${parts.join(', ')}.
Exit code: 0 all ways read the same, 1 they did not, 2 it was called wrongly.
`
const say = (line: string) => void process.stdout.write(`${line}\n`)
const { values } = parseArgs({
  options: { posts: { type: 'string' }, only: { type: 'string', multiple: true }, help: { type: 'boolean' } },
})
const count = Number(values.posts ?? 1_000_000)
const only = values.only ?? parts
if (values.help) process.stdout.write(help)
else if (!(count > 0) || only.some((part) => !parts.includes(part))) {
  process.stderr.write(help)
  process.exitCode = 2
} else await withData(bench)

async function bench(start: () => Promise<Mongod>): Promise<void> {
  const mongod = await start()
  const { client, db } = mongod
  await client.connect()
  const authors = newAuthors()
  await db.collection<PostDocument>('posts').createIndexes([...oldIndexes, newIndex])
  await fillPosts(db, authors, count)
  const readers = readersOf(authors)
  const places = placesOf(Date.now())
  const { first, 'after half': half } = places
  if (!first || !half) return

  const [processor] = cpus()
  say(
    `${count.toLocaleString('en')} posts; ${processor?.model.trim()}, ${cpus().length} cores; Node.js ${process.version}\n`,
  )
  for (const part of parts.filter((part) => only.includes(part))) {
    say(`## ${part} (load ${loadavg()[0]?.toFixed(1)})\n`)
    if (part === 'pages') {
      const areSame = await measurePages(db, readers, places, [20], say)
      const areSame100 = await measurePages(db, readers, { first, 'after half': half }, [100], say)
      say(areSame && areSame100 ? 'All ways read the same.\n' : 'THE WAYS DIFFER.\n')
      if (!areSame || !areSame100) process.exitCode = 1
      say('First page, limit 20: keys / documents examined\n')
      await examinePages(db, readers, first, say)
      say('Page after half: keys / documents examined\n')
      await examinePages(db, readers, half, say)
    }
    if (part === 'plans') await measurePlans(db, readers, first, say)
    if (part === 'load') await measureLoad(mongod, readers, first, say)
    if (part === 'follows') await measureFollows(db, readers, say)
    if (part === 'writes') await measureWrites(mongod, authors, count / 4, say)
    if (part === 'cold') await measureCold(start, readers, first, say)
  }
}
