import type { Db, UUID } from 'mongodb'
import type { PostDocument } from '../../../src/posts/document.ts'
import { add, examined, isEnough, middleAndWorst, type Samples, samplesOf, table, timed } from './measure.ts'
import type { Readers } from './readers.ts'
import { ways } from './ways.ts'

const rounds = 25
/** Of something slow no more is measured than that, in milliseconds. */
const patience = 1_500

const textOf = (page: readonly UUID[]) => page.map((id) => id.toString()).join()

/** Reads the same page in every way that asks for an index by name, all readers by turns. */
export async function measurePages(
  db: Db,
  readers: Readers,
  places: Record<string, UUID>,
  limits: readonly number[],
  say: (line: string) => void,
): Promise<boolean> {
  const posts = db.collection<PostDocument>('posts')
  let areSame = true
  for (const limit of limits) {
    for (const [place, before] of Object.entries(places)) {
      const samples: Samples = new Map()
      for (let round = 0; round < rounds; round += 1) {
        for (const [reader, authors] of Object.entries(readers)) {
          const pages = new Set<string>()
          for (const [name, way] of Object.entries(ways)) {
            if (isEnough(samplesOf(samples, reader, name), patience)) continue
            const { ms, result } = await timed(() => way(posts, authors, before, limit + 1))
            add(samples, reader, name, ms)
            pages.add(textOf(result))
          }
          areSame &&= pages.size <= 1
        }
      }
      say(`Page ${place}, limit ${limit}: ms, the median and the worst of ${rounds}, fewer of what is slow\n`)
      for (const line of table('reader', samples, middleAndWorst)) say(line)
    }
  }
  return areSame
}

/** What MongoDB looks at for a page. */
export async function examinePages(db: Db, readers: Readers, before: UUID, say: (line: string) => void) {
  const posts = db.collection<PostDocument>('posts')
  const cells = new Map<string, string>()
  say(`| reader | ${Object.keys(ways).join(' | ')} |`)
  say(`|---|${'---:|'.repeat(Object.keys(ways).length)}`)
  for (const [reader, authors] of Object.entries(readers)) {
    for (const [name, way] of Object.entries(ways)) {
      cells.set(name, await examined(db, 'posts', () => way(posts, authors, before, 21)))
    }
    say(`| ${reader} | ${[...cells.values()].join(' | ')} |`)
  }
  say('')
}
