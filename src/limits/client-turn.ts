import { addressKey, networkKeys } from '../http/client-address.ts'
import type { Turn } from './fair-queue.ts'

/** @param account - of a known device or live session. Networks share the reserved turns: more accounts give no more. */
export const clientTurn = (ip: string, account?: string): Turn => ({
  key: account ?? addressKey(ip),
  groups: networkKeys(ip),
  reserved: account !== undefined,
})

/** For reads of accounts: they take turns, and first their networks, since one network can have many accounts. */
export const accountTurn = (ip: string, account: string): Turn => ({ key: account, groups: networkKeys(ip) })
