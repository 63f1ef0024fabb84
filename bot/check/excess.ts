import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import * as schemas from '../api-schemas.ts'
import type { Answer, Call, Client } from '../client.ts'
import type { History } from '../history/history.ts'
import type { Observation } from '../history/operation.ts'
import { kindOf, partsOf, registers } from '../history/registers.ts'
import type { Directory } from '../people/directory.ts'
import type { Checker, Excess } from './checker.ts'
import type { Finding } from './finding.ts'

/**
 * The pauses between the tries. On a busy machine the server may answer the deletion of an account before it has withdrawn
 * the account's reactions, replies and follows: until then they are counted, and hidden from the lists.
 */
const pausesMs = { usual: [0, 2_000, 8_000], afterSlowDeletion: [20_000, 30_000] }
/** One that takes longer may have left more to the background than a few seconds are enough for. */
const slowDeletionMs = 3_000
/**
 * A short reaction of another account, gone when it is looked into, would meet the two reads of a count and the one of its
 * list as easily as the answer that it follows: never to do so in 20 cases has a chance of less than one in 4^20.
 */
const minVanishedOfWrites = 20

const isOfAccount = (kind: string) => kind === 'posts' || kind === 'followers' || kind === 'following'

type Size = { seen: number; foreign: number; most: number }

/**
 * Looks into counts that the run does not explain: other accounts may have reacted, replied or followed. Only what the list
 * behind a count does not explain either, and what stays, is a finding; and what the answers to writes alone have.
 */
export class ExcessInvestigation {
  #pausesMs: typeof pausesMs
  #client: Pick<Client, 'send'>
  #directory: Directory
  #checker: Checker
  #history: History
  /** How many other accounts are in a list: a later count is not looked into for them. */
  #known = new Map<string, number>()
  #running = new Map<string, Promise<void>>()
  /** What was gone when it was looked into, by the answers that had it. */
  #vanished = { ofWrites: [] as Finding[], ofReads: 0 }
  #hasSlowDeletion = false

  constructor(
    client: Pick<Client, 'send'>,
    directory: Directory,
    checker: Checker,
    history: History,
    pauses = pausesMs,
  ) {
    this.#pausesMs = pauses
    this.#client = client
    this.#directory = directory
    this.#checker = checker
    this.#history = history
    history.listen({
      end: ({ action, sent, answered }) => {
        this.#hasSlowDeletion ||= action === 'delete account' && (answered ?? sent) - sent > slowDeletionMs
      },
    })
  }

  look(excess: Excess): void {
    const { count, most, seen } = excess
    if (seen - most <= (this.#known.get(count) ?? 0) || this.#running.has(count)) return
    this.#running.set(
      count,
      this.#investigate(excess).finally(() => this.#running.delete(count)),
    )
  }

  /** Resolves when nothing is being looked into. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  /** Call it at the end, when nothing is being looked into. */
  conclude(): void {
    const { ofWrites, ofReads } = this.#vanished
    const [first] = ofWrites
    if (!first || ofReads > 0 || ofWrites.length < minVanishedOfWrites) return
    const seen = `${first.seen}; the answers to ${ofWrites.length} writes counted what no read showed`
    this.#claim(first, { expected: first.expected, seen })
  }

  async #investigate({ count, isOfWrite, finding }: Excess): Promise<void> {
    let last: Size | null = null
    for (const pauseMs of this.#pauses()) {
      await sleep(pauseMs)
      const size = await this.#measure(count)
      if (size === null) return
      if (size.seen - size.most <= size.foreign) {
        if (size.foreign > 0) this.#known.set(count, size.foreign)
        else if (isOfWrite) this.#vanished.ofWrites.push(finding)
        else this.#vanished.ofReads += 1
        return
      }
      last = size
    }
    if (last === null) return
    const seen = `${last.seen}, of which ${last.foreign} are of other accounts`
    this.#claim(finding, { expected: `at most ${last.most}`, seen })
  }

  *#pauses(): Generator<number> {
    yield* this.#pausesMs.usual
    if (this.#hasSlowDeletion) yield* this.#pausesMs.afterSlowDeletion
  }

  #claim({ object, requestIds }: Finding, values: { expected: string; seen: string }): void {
    const operation = this.#history.begin({ robot: -1, action: 'look into an excess' })
    const ending = { status: 200, cause: '200', requestId: requestIds.at(-1) ?? null }
    this.#history.end(operation, ending, [{ claim: 'C', object, ...values, holds: false }])
  }

  /** The count, read before its list and after it alike, or null if it changed or cannot be read. */
  async #measure(count: string): Promise<Size | null> {
    let most = 0
    const before = await this.#count(count)
    const foreign = before === null ? null : await this.#foreign(count)
    const after = await this.#count(count, ({ sentAt }) => {
      most = this.#checker.sizes(count, sentAt).most
    })
    if (before === null || foreign === null || before !== after) return null
    return { seen: after, foreign, most }
  }

  async #count(count: string, onAnswer: (answer: Answer) => void = () => {}): Promise<number | null> {
    const [object] = partsOf(count)
    const kind = kindOf(count)
    if (isOfAccount(kind)) {
      const account = await this.#read(count, `/v1/accounts/${object}`, schemas.account, onAnswer)
      return account?.counts[kind] ?? null
    }
    const post = await this.#read(count, `/v1/posts/${this.#directory.idOf(object)}`, schemas.post, onAnswer)
    const counts: Record<string, number> | undefined = post?.counts
    return counts?.[kind] ?? null
  }

  async #foreign(count: string): Promise<number | null> {
    const [object] = partsOf(count)
    const kind = kindOf(count)
    const value = kind === 'likes' ? '&value=like' : kind === 'dislikes' ? '&value=dislike' : ''
    const list = value ? 'reactions' : kind
    const path = isOfAccount(kind)
      ? `/v1/accounts/${object}/${list}`
      : `/v1/posts/${this.#directory.idOf(object)}/${list}`
    const names = z.union([
      schemas.account.transform(({ username }) => username),
      schemas.reactor.transform(({ account }) => account.username),
      schemas.post.transform(({ author }) => author.username),
    ])
    let [foreign, cursor]: [number, string | null] = [0, '']
    while (cursor !== null) {
      const query: string = `?limit=100${value}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const page: { items: string[]; nextCursor: string | null } | null = await this.#read(
        count,
        `${path}${query}`,
        schemas.page(names),
      )
      if (page === null) return null
      foreign += page.items.filter((name) => !this.#directory.isOfRun(name)).length
      cursor = page.nextCursor
    }
    return foreign
  }

  async #read<T extends z.ZodType>(
    count: string,
    path: string,
    schema: T,
    onAnswer: (answer: Answer) => void = () => {},
  ): Promise<z.infer<T> | null> {
    const [object] = partsOf(count)
    const exists = isOfAccount(kindOf(count)) ? registers.account(object) : registers.post(object)
    const observe = (answer: Answer): Observation[] => {
      onAnswer(answer)
      return answer.status === 404 ? [{ register: exists, value: false }] : []
    }
    const call: Call = { action: 'look into an excess', method: 'GET', path, observe }
    const { status, body } = await this.#client.send(call)
    return status === 200 ? (schema.safeParse(body).data ?? null) : null
  }
}
