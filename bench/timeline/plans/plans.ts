import type { Db, UUID } from 'mongodb'
import type { PostDocument } from '../../../src/posts/document.ts'
import { add, examined, isEnough, median, middleAndWorst, type Samples, samplesOf, table, timed } from './measure.ts'
import type { Readers } from './readers.ts'
import { rootsByAuthor, unhinted, ways } from './ways.ts'

const rounds = 25
const limit = 21
/** Of something slow no more is measured than that, in milliseconds. */
const patience = 1_000
const tried = ['10 mixed', '1,000 mixed', '1,000 silent', '1,000 replying', '1,000 lapsed', '5,000 mixed']
const warmers = ['10 busy', '1,000 mixed', '1,000 silent', '1,000 replying', '1,000 lapsed']

/** How the plan that MongoDB chooses itself depends on who read before, without the new index (a) and with it (b). */
export async function measurePlans(db: Db, readers: Readers, before: UUID, say: (line: string) => void): Promise<void> {
  const posts = db.collection<PostDocument>('posts')
  const those = Object.entries(readers).filter(([reader]) => tried.includes(reader))
  const read = (authors: UUID[]) => unhinted(posts, authors, before, limit)
  const read2 = (authors: UUID[]) => ways['c2: chunks, {author, root, _id}'](posts, authors, before, limit)
  const readE4 = (authors: UUID[]) => ways['e4: c2 to 200 authors, e2 above'](posts, authors, before, limit)
  const samples: Record<'a' | 'b', Samples> = { a: new Map(), b: new Map() }
  const looked: Samples = new Map()

  async function readAfter(way: 'a' | 'b', reader: string, authors: UUID[], warmer: string): Promise<void> {
    const column = warmer === '' ? 'cold' : warmer === reader ? 'itself' : warmer
    if (isEnough(samplesOf(samples[way], reader, column), patience)) return
    await db.command({ planCacheClear: 'posts' })
    // The first run leaves a plan in the cache, the second makes it be used.
    for (let n = 0; n < 2 && warmer !== ''; n += 1) await read(readers[warmer] ?? [])
    add(samples[way], reader, column, (await timed(() => read(authors))).ms)
  }

  for (let round = 0; round < rounds; round += 1) {
    for (const way of ['a', 'b'] as const) {
      await db.command({ collMod: 'posts', index: { keyPattern: rootsByAuthor, hidden: way === 'a' } })
      for (const [reader, authors] of those) {
        for (const warmer of new Set(['', reader, ...warmers])) await readAfter(way, reader, authors, warmer)
        if (way === 'a') continue
        add(samples.b, reader, 'c2 beside it', (await timed(() => read2(authors))).ms)
        add(samples.b, reader, 'e4 beside it', (await timed(() => readE4(authors))).ms)
      }
    }
  }
  for (const way of ['a', 'b'] as const) {
    say(`${way}: first page by the plan of the one who read before, ms, median and worst\n`)
    for (const line of table('reader', samples[way], middleAndWorst)) say(line)
    for (const [reader, authors] of those) {
      add(looked, reader, `${way} at worst`, Math.max(...[...(samples[way].get(reader) ?? [])].map(worstOf)))
      const best = median(samples[way].get(reader)?.get('itself') ?? [])
      add(looked, reader, `${way} by its own plan`, best)
      if (way === 'a') continue
      add(looked, reader, 'e4', median(samples.b.get(reader)?.get('e4 beside it') ?? []))
      await db.command({ planCacheClear: 'posts' })
      say(`${reader}, b with a cold plan, keys / documents: ${await examined(db, 'posts', () => read(authors))}`)
    }
    say('')
  }
  for (const line of table('first page, medians in ms', looked, ([value]) => value?.toFixed(1) ?? '')) say(line)
}

/** The median after the worst of those who read before. */
const worstOf = ([column, values]: [string, number[]]) => (column.endsWith('beside it') ? 0 : median(values))
