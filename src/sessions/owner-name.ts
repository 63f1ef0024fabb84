import type { UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { SessionOwner } from './access-token.ts'

/** A session and its account as one key, for reads by both. */
export const ownerName = ({ account, session }: SessionOwner): string => `${session} ${account}`

function ownerOf(name: string): { session: UUID; account: UUID } {
  const [session = '', account = ''] = name.split(' ')
  return { session: toUuid(session), account: toUuid(account) }
}

/** Names the shard key, too. */
export function ownersFilter(names: readonly string[]) {
  const owners = names.map(ownerOf)
  return {
    _id: { $in: owners.map(({ session }) => session) },
    account: { $in: owners.map(({ account }) => account) },
  }
}

export const ownerNameOf = ({ _id, account }: { _id: UUID; account: UUID }): string =>
  ownerName({ account: account.toString(), session: _id.toString() })
