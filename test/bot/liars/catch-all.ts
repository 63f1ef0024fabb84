import type { Test } from 'tap'
import { forEachConcurrent } from '../../../bot/concurrency.ts'
import { testServer } from '../../helper.ts'
import { catchLiar, smallSize } from './catch-liar.ts'
import type { Liar } from './liar.ts'

/** Several runs log in with wrong passwords from one address. */
export const env = { LIMIT_FAILED_LOGINS_PER_ADDRESS: '1000', LIMIT_FAILED_LOGINS_PER_NETWORK: '1000' }

const maxConcurrentRuns = 5

/** Runs the bot against each liar, several at a time before one server. */
export function catchAll(t: Test, liars: readonly Liar[], seed = 1): void {
  t.test('each liar is caught by the right rule, beside the others', { timeout: 470_000 }, async (t) => {
    const { url } = await testServer(t, env)
    await forEachConcurrent(liars, maxConcurrentRuns, async (liar) => {
      const server = liar.alone ? (await testServer(t, env)).url : url
      const { isCaught, rules, findings } = await catchLiar(liar, server, { seed, size: smallSize })
      t.ok(isCaught, `${liar.name}: ${rules.join(', ')}`, { findings: findings.slice(0, 3) })
    })
  })
}
