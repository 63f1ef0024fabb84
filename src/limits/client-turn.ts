import { addressKey, networkKeys } from '../http/client-address.ts'
import type { Turn } from './fair-queue.ts'

/**
 * @param account - whose known device or live session it is: it uses the reserved turns, in which its network takes
 * turns with others, too: many accounts must not give one client as many turns
 */
export const clientTurn = (ip: string, account?: string): Turn => ({
  key: account ?? addressKey(ip),
  groups: networkKeys(ip),
  reserved: account !== undefined,
})
