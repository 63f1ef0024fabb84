import type { Db } from 'mongodb'
import { StartError } from '../start-error.ts'
import type { Connection } from './connection.ts'
import type { CollectionUses } from './roles.ts'
import { hostsOf } from './uri-variable.ts'

/** As MongoDB lists them; an empty name stands for every database, or every collection. */
type Granted = { resource: { db?: string; collection?: string; anyResource?: boolean }; actions: readonly string[] }

const covers = (
  { db = '-', collection = '-', anyResource = false }: Granted['resource'],
  of: Required<Pick<Granted['resource'], 'db' | 'collection'>>,
) => anyResource || ((db === '' || db === of.db) && (collection === '' || collection === of.collection))

/**
 * What the user must have while the server runs. What creates collections, views and indexes is not part of it, because
 * `npm run indexes` may have done that as another user.
 * @throws StartError naming what it lacks
 */
export async function assertPrivileges(db: Db, uses: CollectionUses, { uri, username }: Connection): Promise<void> {
  const { authInfo } = await db.command({ connectionStatus: 1, showPrivileges: true })
  // https://www.mongodb.com/docs/manual/reference/command/connectionStatus/
  const granted = authInfo.authenticatedUserPrivileges as Granted[]
  const isGranted = (collection: string, action: string) =>
    granted.some(
      ({ resource, actions }) => actions.includes(action) && covers(resource, { db: db.databaseName, collection }),
    )
  const lacks = Object.entries(uses).flatMap(([collection, actions]) => {
    const missing = actions.filter((action) => action !== 'createCollection' && !isGranted(collection, action))
    return missing.length > 0 ? [`${missing.join(', ')} on ${collection}`] : []
  })
  if (lacks.length === 0) return
  const named = lacks.slice(0, 3).join('; ') + (lacks.length > 3 ? `; and on ${lacks.length - 3} more collections` : '')
  throw new StartError(
    `MongoDB at ${hostsOf(uri)} denies the user ${username} what the server does in the database ${db.databaseName}: ${named}. Grant it the role that npm run roles creates.`,
  )
}
