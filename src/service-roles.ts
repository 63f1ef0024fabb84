import type { Db } from 'mongodb'
import { savedOf } from './backup/collections.ts'
import { collections, usesOf } from './collections.ts'
import { type CollectionUses, ensureRoles, privilegesOf, type Role } from './database/roles.ts'
import { type ServiceName, serviceNames } from './services.ts'

/** The role of a database user: of one service, or of a program that serves all. */
export const roleNameOf = (service?: ServiceName): string => (service ? `rookery-${service}` : 'rookery')

/**
 * For `npm run backup`: reads what a backup holds, and of which version the data is. What makes daily backups must not be able
 * to change anything, nor to read sessions.
 */
export const backupRole = 'rookery-backup'
const backupUses: CollectionUses = Object.fromEntries(
  [...savedOf(collections), 'versions'].map((name) => [name, ['find']]),
)

/** The roles of this database: `rookery-accounts`, `rookery-posts`, `rookery` for both in one program, and for backups. */
export function serviceRoles(database: string): Role[] {
  const roleOf = (name: string, uses: CollectionUses) => ({
    name,
    privileges: privilegesOf(database, uses, collections),
  })
  return [
    ...serviceNames.map((service) => roleOf(roleNameOf(service), usesOf([service]))),
    roleOf(roleNameOf(), usesOf(serviceNames)),
    roleOf(backupRole, backupUses),
  ]
}

/** Creates or updates the roles. `admin` can be any database of an administrator's client. */
export const createServiceRoles = (admin: Db, database: string): Promise<void> =>
  ensureRoles(admin.client.db(database), serviceRoles(database))
