/** One attempt of one request. Times are milliseconds of `performance.now()`, of one process. */
export type Operation = {
  id: number
  robot: number
  /** 'like', 'read post', … */
  action: string
  /** When it should have started: earlier than `sent` if the robot, or a queue of the bot's own, was late. */
  intended: number
  sent: number
  /** null: no answer yet, or never. */
  answered: number | null
  status: number | null
  /** '200', '503 overloaded', 'timeout', 'ECONNRESET' */
  cause: string
  requestId: string | null
  attempt: number
  /** The operation of the first attempt. */
  retryOf: number | null
  /** What the bot does wrong on purpose, as in 'cut before'. */
  fault?: string
}

export type Value = string | boolean | null

/** A write of one register (registers.ts). `parent` is what a new post replies to. */
export type Write = { register: string; value: Value; parent?: string }

/** `at` and `id` are the item's position in lists that are ordered by them. */
export type ListItem = { key: string; at?: string; id?: string }

export type Rule = 'R' | 'C' | 'S' | 'I' | 'N' | 'E'

/** What an answer says. */
export type Observation =
  | { register: string; value: Value }
  | { count: string; value: number }
  /** `since` is when the first page was sent; not `complete`: the list goes on after the last item. */
  | { list: string; items: ListItem[]; since: number; complete: boolean }
  /** The post exists under this id, which fixes its position in lists. */
  | { placed: string; id: string; at: string }
  /** Something else that either holds or does not, as a refusal that must happen. */
  | { claim: Rule; object: string; expected: string; seen: string; holds: boolean }

/**
 * What an attempt may have done: 'indeterminate' writes may have happened or may still, but never after a later write of
 * the register that was acknowledged; 'late' ones even then, as a server may hold the request unread.
 */
export type Effect = 'acknowledged' | 'refused' | 'indeterminate' | 'late'

/** The causes of attempts whose connection the bot itself has cut. No server may act on half a request. */
export const notSentWhole = 'not sent whole'
export const sentAndCut = 'cut'

const notTried = new Set(['503 overloaded', '503 database-unavailable'])
/** After these, the request may still wait where no answer can reach its sender: in a socket, or behind a gateway. */
const unread = new Set(['timeout', sentAndCut, '504'])

/** The effect of an operation that has ended. */
export function effectOf({ status, cause }: Pick<Operation, 'status' | 'cause'>): Effect {
  if (unread.has(cause)) return 'late'
  if (cause === notSentWhole) return 'refused'
  if (status === null) return 'indeterminate'
  if (status >= 200 && status < 300) return 'acknowledged'
  return status < 500 || notTried.has(cause) ? 'refused' : 'indeterminate'
}
