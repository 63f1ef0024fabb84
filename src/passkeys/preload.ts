import type { FastifyPluginAsync } from 'fastify'
import { relyingPartyOf } from './relying-party.ts'
import { loadWebauthn, loadWebauthnHelpers } from './webauthn-library.ts'

const checkEveryMs = 5_000
const maxUtilization = 0.1

/**
 * Loads the library in a pause after the start, so that neither the start nor the first passkey waits for it. In a process
 * that is never idle, the first passkey loads it.
 */
export const preloadWebauthn: FastifyPluginAsync = async (scope) => {
  let timer: NodeJS.Timeout | undefined
  let last = performance.eventLoopUtilization()

  async function loadIfIdle(): Promise<void> {
    const { utilization } = performance.eventLoopUtilization(last)
    last = performance.eventLoopUtilization()
    if (utilization > maxUtilization) return
    clearInterval(timer)
    await Promise.all([loadWebauthn(), loadWebauthnHelpers()])
  }

  scope.addHook('onListen', async () => {
    if (!relyingPartyOf(scope.publicOrigins())) return
    // If it fails, so does the first passkey, which tells why.
    timer = setInterval(() => loadIfIdle().catch(() => undefined), checkEveryMs).unref()
  })
  scope.addHook('onClose', async () => clearInterval(timer))
}
