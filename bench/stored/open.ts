import type { Connection } from '../../src/database/connection.ts'
import type { Side } from '../sides.ts'
import { storedInMongodb } from './mongodb.ts'
import { storedInPocketbase } from './pocketbase.ts'
import type { Stored } from './stored.ts'

/** Opens the database of a server. */
export const openStored = (side: Side, connection: Connection, dataDir: string): Promise<Stored> =>
  side === 'pocketbase' ? storedInPocketbase(dataDir) : storedInMongodb(connection)
