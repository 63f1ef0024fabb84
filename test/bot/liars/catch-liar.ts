import type { Finding } from '../../../bot/check/finding.ts'
import type { CrowdSize } from '../../../bot/plan.ts'
import { honest, lyingProxy } from '../lying-proxy.ts'
import { runAgainst } from '../run-crowd.ts'
import type { Liar } from './liar.ts'

/** The size of the bot without options. */
export const defaultSize = { users: 10, posts: 5, replies: 3, follows: 5, reactions: 20, deletions: 10 }
/** Enough for each liar to lie in a test that must not last long. */
export const smallSize = { ...defaultSize, posts: 4, replies: 2, follows: 4, reactions: 10 }

const patience = { totalMs: 120_000, attemptTimeoutMs: 60_000 }

/** `incomplete` is why not all could be compared, or null. */
export type Caught = {
  isCaught: boolean
  rules: string[]
  findings: Finding[]
  checked: number
  incomplete: string | null
}

/** Runs the bot against a liar before a server, or an honest proxy, and says whether it finds out by the right rule. */
export async function catchLiar(
  liar: Liar | null,
  url: string,
  { seed, size = defaultSize, alone = liar?.alone ?? false }: { seed: number; size?: CrowdSize; alone?: boolean },
): Promise<Caught> {
  const proxy = await lyingProxy(url, liar?.create(seed) ?? honest)
  try {
    const { findings } = await runAgainst(proxy.url, { ...size, ...patience, seed, conditions: { alone } })
    const rules = [...new Set(findings.findings.map(({ rule }) => rule))]
    const isCaught = rules.some((rule) => liar?.rules.includes(rule))
    const incomplete = [...(findings.unreadable === null ? [] : [findings.unreadable]), ...findings.gaveUp.keys()]
    return {
      ...{ isCaught, rules, findings: findings.findings, checked: findings.totals.checked },
      incomplete: incomplete.join(', ') || null,
    }
  } finally {
    proxy.close()
  }
}
