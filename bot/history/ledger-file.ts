import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { z } from 'zod'
import type { HistoryListener } from './history.ts'
import type { Observation, Operation, Write } from './operation.ts'

/** What a run can be told from: the first line of a ledger. Passwords follow from a seed that was given. */
export type LedgerHead = {
  seed: number
  isSeedGiven?: boolean
  url?: string
  alone: boolean
  options: object
  startedAt: string
}

const nullableNumber = z.number().nullable()
const operation = z.object({
  ...{ id: z.number(), robot: z.number(), action: z.string(), intended: z.number(), sent: z.number() },
  ...{ answered: nullableNumber, status: nullableNumber, cause: z.string(), requestId: z.string().nullable() },
  ...{ attempt: z.number(), retryOf: nullableNumber, fault: z.string().exactOptional() },
})
const value = z.union([z.string(), z.boolean(), z.null()])
const write = z.object({ register: z.string(), value, parent: z.string().exactOptional() })
const item = z.object({ key: z.string(), at: z.string().exactOptional(), id: z.string().exactOptional() })
const observation = z.union([
  z.object({ register: z.string(), value }),
  z.object({ count: z.string(), value: z.number() }),
  z.object({ list: z.string(), items: z.array(item), since: z.number(), complete: z.boolean() }),
  z.object({ placed: z.string(), id: z.string(), at: z.string() }),
  z.object({
    ...{ claim: z.enum(['R', 'C', 'S', 'I', 'N', 'E']), object: z.string() },
    ...{ expected: z.string(), seen: z.string(), holds: z.boolean() },
  }),
])
const head = z.object({
  ...{ seed: z.number(), isSeedGiven: z.boolean().exactOptional(), url: z.string().exactOptional() },
  ...{ alone: z.boolean(), options: z.looseObject({}), startedAt: z.string() },
})
const line = z.union([
  z.object({ begin: operation, writes: z.array(write) }),
  z.object({
    end: operation.pick({ id: true, answered: true, status: true, cause: true, requestId: true }),
    observations: z.array(observation),
  }),
])

const bufferedBytes = 65_536

/**
 * Writes a history as JSON lines into a new file that only its owner can read. It holds names, texts and times, and neither
 * cookies nor passwords: operations have none.
 * @throws an error of the file system, as when the file exists
 */
export class LedgerFile implements HistoryListener {
  #file: number
  #buffer: string[] = []
  #bytes = 0

  constructor(path: string, head: LedgerHead) {
    this.#file = openSync(path, 'wx', 0o600)
    this.#add(head)
  }

  begin(operation: Operation, writes: readonly Write[]): void {
    this.#add({ begin: operation, writes })
  }

  end({ id, answered, status, cause, requestId }: Operation, observations: readonly Observation[]): void {
    this.#add({ end: { id, answered, status, cause, requestId }, observations })
  }

  close(): void {
    this.#flush()
    closeSync(this.#file)
  }

  #add(record: object): void {
    const text = `${JSON.stringify(record)}\n`
    this.#buffer.push(text)
    this.#bytes += text.length
    if (this.#bytes > bufferedBytes) this.#flush()
  }

  #flush(): void {
    if (this.#buffer.length > 0) writeSync(this.#file, this.#buffer.join(''))
    this.#buffer = []
    this.#bytes = 0
  }
}

/** The message is a sentence for the terminal. */
export class LedgerError extends Error {}

/**
 * Passes the history of a ledger on to a listener, in its order. A last line that a kill has cut off is ignored.
 * @throws LedgerError
 */
export function replayLedger(path: string, listen: (head: LedgerHead) => HistoryListener): LedgerHead {
  const [first = '', ...lines] = readLines(path)
  const begins = head.safeParse(parse(first)).data
  if (!begins) throw new LedgerError(`${path} is not a ledger of the bot: its first line holds no seed.`)
  const listener = listen(begins)
  const open = new Map<number, Operation>()
  for (const [n, text] of lines.entries()) {
    const record = line.safeParse(parse(text)).data
    if (!record && n === lines.length - 1) break
    if (!record) throw new LedgerError(`${path} is not a ledger of the bot: line ${n + 2} is none of its records.`)
    if ('begin' in record) {
      open.set(record.begin.id, record.begin)
      listener.begin?.(record.begin, record.writes)
    } else {
      const ended = { ...open.get(record.end.id), ...record.end }
      const complete = operation.safeParse(ended).data
      if (!complete) throw new LedgerError(`${path} is not a ledger of the bot: line ${n + 2} ends what never began.`)
      open.delete(record.end.id)
      listener.end?.(complete, record.observations)
    }
  }
  return begins
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n')
  } catch (error) {
    throw new LedgerError(`${path} cannot be read (${error instanceof Error && 'code' in error ? error.code : error}).`)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
