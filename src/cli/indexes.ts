import { collectionsOf, viewsOf } from '../collections.ts'
import { type BuildListener, ensureIndexes } from '../database/indexes.ts'
import { ensureViews } from '../database/views.ts'
import { print, runCli } from './command.ts'
import { withDatabase } from './open-database.ts'

const help = `Usage: npm run indexes

Creates the collections, views and indexes of SERVICES that do not exist, and prints what it builds. A start does the same;
run it before a new version if an index of a large collection takes long, or if the server's user must not create indexes.
The server can keep running. The command connects to the database of the server's configuration: MONGODB_URI, or else the
one in DATA_DIR. Set DB_USER and DB_PASSWORD, or DB_CREDENTIALS, to a user with the roles readWrite and dbAdmin.

  --help  prints this

An interrupt ends the command, but MongoDB may finish an index that it builds. The command can be repeated at any time.

Exit code: 0 done, 69 the database is out of reach, 78 bad arguments, configuration or privileges, or an index conflicts,
70 a fault of the program.
`

/** No time limit: an index of a large collection takes hours to build. */
const clientOptions = { appName: 'rookery indexes', socketTimeoutMS: 0 }

const progress: BuildListener = {
  onBegun: (collection, keys) => print(`${collection}: building ${keys}`),
  onBuilt: (collection, seconds) => print(`${collection}: built in ${seconds} s`),
}

const run = () =>
  withDatabase(clientOptions, async ({ client, databaseName }, { services }) => {
    const db = client.db(databaseName)
    await ensureIndexes(db, collectionsOf(services), progress)
    await ensureViews(db, viewsOf(services))
    print(`The database ${databaseName} has all collections, views and indexes.`)
    return 0
  })

await runCli({ help, args: {}, run })
