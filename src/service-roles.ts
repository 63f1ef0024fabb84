import type { Db } from 'mongodb'
import { collections, usesOf } from './collections.ts'
import { ensureRoles, privilegesOf, type Role } from './database/roles.ts'
import { type ServiceName, type Services, serviceNames } from './services.ts'

/** The role of a database user: of one service, or of a program that serves all. */
export const roleNameOf = (service?: ServiceName): string => (service ? `rookery-${service}` : 'rookery')

/** The roles of this database: `rookery-accounts`, `rookery-posts`, and `rookery` for both in one program. */
export function serviceRoles(database: string): Role[] {
  const roleOf = (services: Services, service?: ServiceName) => ({
    name: roleNameOf(service),
    privileges: privilegesOf(database, usesOf(services), collections),
  })
  return [...serviceNames.map((service) => roleOf([service], service)), roleOf(serviceNames)]
}

/** Creates or updates the roles. `admin` can be any database of an administrator's client. */
export const createServiceRoles = (admin: Db, database: string): Promise<void> =>
  ensureRoles(admin.client.db(database), serviceRoles(database))
