import type { Operation, Rule, Value } from '../history/operation.ts'

/**
 * A contradiction. `requestIds` are those of the operations that it follows from: the write, if one is to blame, and the
 * read. `times` are when the read was sent, at its first page, and answered.
 */
export type Finding = {
  rule: Rule
  object: string
  expected: string
  seen: string
  requestIds: string[]
  times: { sent: number; answered: number }
}

export type Context = { operation: Operation; since?: number; writeIds?: readonly (string | null | undefined)[] }

export function createFinding(
  rule: Rule,
  object: string,
  { expected, seen }: { expected: string; seen: string },
  { operation, since, writeIds = [] }: Context,
): Finding {
  const requestIds = [...writeIds, operation.requestId].filter((id) => typeof id === 'string')
  const times = { sent: since ?? operation.sent, answered: operation.answered ?? operation.sent }
  return { rule, object, expected, seen, requestIds: [...new Set(requestIds)], times }
}

/** The values of a register as a finding shows them: of texts, the part that differs. */
export function describeValues(expected: readonly Value[], seen: Value): { expected: string; seen: string } {
  const unique = [...new Set(expected)]
  const newest = unique.at(-1)
  if (typeof newest === 'string' && typeof seen === 'string' && seen.length > shortLength)
    return describeTexts(newest, seen)
  return { expected: unique.map(quote).join(' or '), seen: quote(seen) }
}

const contextCharacters = 20
/** Longer values are texts. */
const shortLength = 8

function describeTexts(expected: string, seen: string): { expected: string; seen: string } {
  const [wanted, found] = [[...expected], [...seen]]
  const at = wanted.findIndex((character, n) => character !== found[n])
  const differs = at === -1 ? wanted.length : at
  const start = Math.max(0, differs - contextCharacters)
  const excerpt = (characters: string[]) =>
    JSON.stringify(characters.slice(start, differs + contextCharacters).join(''))
  const place = `at character ${differs + 1}`
  return {
    expected: `${excerpt(wanted)} ${place} of ${wanted.length}`,
    seen: `${excerpt(found)} ${place} of ${found.length}`,
  }
}

function quote(value: Value): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
