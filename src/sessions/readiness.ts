import type { ReadinessCheck } from '../operations/readiness.ts'
import type { RevocationCache } from './revocation-cache.ts'

/** The id of no session. */
const noSession = '00000000-0000-7000-8000-000000000000'

/** Fails when the cache is not current and the database, which must then be queried, does not answer either. */
export const revocationCheck = ({
  isLive,
  readIsLive,
}: Pick<RevocationCache, 'isLive' | 'readIsLive'>): ReadinessCheck => ({
  name: 'revocations',
  fault: 'sessions cannot be checked',
  code: 'database-unavailable',
  blames: 'database',
  isReady: async () => isLive(noSession) === true || (await readIsLive(noSession)),
})
