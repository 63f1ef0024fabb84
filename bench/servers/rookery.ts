import { randomBytes } from 'node:crypto'
import { destination, pino } from 'pino'
import { buildApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import type { Connection } from '../../src/database/connection.ts'
import { transactor } from '../../src/database/transaction.ts'
import { createLogger } from '../../src/operations/logging.ts'
import { startApiServer } from '../../src/processes/api-server.ts'
import { startPrimary } from '../../src/processes/primary.ts'
import { connect } from './connect.ts'
import { oneTransactionPerReaction } from './one-transaction.ts'
import type { ServerOptions } from './server.ts'

/** The default configuration except for what would distort the measurement: request log, hashes, the sign-up limit. */
async function createConfig({ uri, username, password }: Connection, bcryptCost: number, processes = 1) {
  return readConfig({
    NODE_ENV: 'test',
    PORT: '0',
    METRICS_PORT: '0',
    WEB_CONCURRENCY: String(processes),
    LOG_LEVEL: 'error',
    SECURITY_LOG: 'off',
    BCRYPT_COST: String(bcryptCost),
    LIMIT_SIGNUPS_PER_ADDRESS: '1000000',
    MONGODB_URI: uri,
    DB_USER: username,
    DB_PASSWORD: password,
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
  })
}

/** The server, as src/main.ts starts it. */
export async function rookery(connection: Connection, { bcryptCost, processes, logFile }: ServerOptions) {
  const config = await createConfig(connection, bcryptCost, processes)
  const log = logFile ? pino({ level: 'warn' }, destination({ dest: logFile, sync: true })) : createLogger(config.log)
  return (processes === 1 ? startApiServer : startPrimary)(config, connection, log)
}

/** The same server with one transaction for each reaction. */
export async function oneTransaction(connection: Connection, { bcryptCost }: ServerOptions) {
  const { client, db } = await connect(connection)
  const writer = oneTransactionPerReaction(db, transactor(client))
  const config = await createConfig(connection, bcryptCost)
  const app = await buildApp(config, connection, createLogger(config.log), { writer })
  return { url: await app.listen({ host: config.host, port: 0 }), close: () => app.close() }
}
