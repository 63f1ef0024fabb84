import mongodb from '@fastify/mongodb'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import type { Db, MongoClient } from 'mongodb'
import { accessRefusals, type NoteRefusal } from './access-refusals.ts'
import { buildLog } from './build-log.ts'
import {
  assertReplicaSet,
  type Connection,
  clientOptions,
  connectClient,
  databaseOf,
  type Purpose,
  toConnectionError,
} from './connection.ts'
import { assertDataVersion, raiseDataVersion } from './data-version.ts'
import { databaseUser } from './database-user.ts'
import { toUuid } from './ids.ts'
import { type Collections, ensureIndexes } from './indexes.ts'
import { liveClient } from './live-client.ts'
import { assertPrivileges } from './privileges.ts'
import type { ClientUse } from './retired-clients.ts'
import type { CollectionUses } from './roles.ts'
import { sessionKiller } from './session-killer.ts'
import { type Transact, transactor } from './transaction.ts'
import { ensureViews, type Views } from './views.ts'

export type CrashRecovery = {
  orphanedSessions: readonly string[]
  onSession: (id: string) => void
}

export type DatabaseUser = Pick<ReturnType<typeof databaseUser>, 'replace' | 'onReplaced'> & {
  noteRefusal: NoteRefusal
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Stays valid when the user is replaced; `mongo.client` is the first user's, and is closed then. */
    db: Db
    transact: Transact
    /** For group commit, on connections that requests do not use. */
    writing: { db: Db; transact: Transact }
    /** For short commands that must not wait behind requests: signs of life, and ending what hangs. */
    signals: Db
    /** Ends transactions that a process left open: see session-killer.ts. */
    endOrphans: () => void
    /** The clients' use of their connections, by purpose. */
    pools: Readonly<Record<string, () => ClientUse>>
    databaseUser: DatabaseUser
  }
}

/** Otherwise the transactions of a killed process lock their documents until MongoDB aborts them after a minute. */
async function killOrphanedSessions(db: Db, ids: CrashRecovery['orphanedSessions']): Promise<void> {
  if (ids.length > 0) await db.command({ killSessions: ids.map((id) => ({ id: toUuid(id) })) })
}

type Options = {
  connection: Connection
  collections: Collections
  views?: Views
  /** What the server does with each collection. */
  uses?: CollectionUses
  role: 'requests' | 'writer' | 'both'
  assertData?: (db: Db) => Promise<void>
  crashRecovery?: CrashRecovery | undefined
  /** Called each time MongoDB refuses the user while the server runs: its credentials may have been rotated. */
  onAccessRefused?: (() => void) | undefined
}

/** @throws StartError when MongoDB is unreachable or refuses the user, has conflicting indexes, or fails `assertData` */
export const database = fp<Options>(async (app, options) => {
  const { connection, role, crashRecovery, onAccessRefused } = options
  const name = databaseOf(connection.uri)
  const opened: MongoClient[] = []
  const open = async (purpose: Purpose) => {
    const client = await connectClient(connection, purpose)
    opened.push(client)
    return liveClient(client, name)
  }
  try {
    await prepareDatabase(name, options, app.log)
    const purpose = role === 'writer' ? 'writer' : 'requests'
    await app.register(mongodb, { url: connection.uri, database: name, ...clientOptions(connection, purpose) })
    if (purpose === 'requests') connection.observeClient?.(app.mongo.client)
    const main = liveClient(app.mongo.client, name)
    const signals = await open('signals')
    const writer = role === 'both' ? await open('writer') : main
    const members = [
      { purpose, live: main },
      { purpose: 'signals', live: signals },
      ...(writer === main ? [] : [{ purpose: 'writer', live: writer } as const]),
    ] as const
    const user = databaseUser(members, connection)
    app.addHook('onClose', () => user.close())
    const noteRefusal = accessRefusals(app.log, () => {
      user.markRefused()
      onAccessRefused?.()
    })
    const killer = sessionKiller(signals.db)
    const hooks = { onSession: crashRecovery?.onSession, kill: killer.kill }
    const transact = transactor(main, hooks)
    app.decorate('db', main.db)
    app.decorate('transact', transact)
    app.decorate('writing', {
      db: writer.db,
      transact: writer === main ? transact : transactor(writer, hooks),
    })
    app.decorate('signals', signals.db)
    app.decorate('pools', Object.fromEntries(members.map(({ purpose, live }) => [purpose, live.use])))
    app.decorate('endOrphans', () => {
      const report = (count: number) => {
        if (count > 0) app.log.warn({ count }, 'ended transactions that other processes had left open')
      }
      killer.killOrphans().then(report, (error) => {
        if (!noteRefusal(error)) app.log.warn({ reason: String(error) }, 'transactions left open were not looked for')
      })
    })
    app.decorate('databaseUser', { replace: user.replace, onReplaced: user.onReplaced, noteRefusal })
  } catch (error) {
    // Fastify does not run onClose hooks when a plugin fails.
    await Promise.all([app.mongo?.client, ...opened].map((client) => client?.close()))
    throw toConnectionError(error, connection)
  }
})

/** On a client of its own, whose commands may take as long as they need. */
async function prepareDatabase(name: string, options: Options, log: FastifyBaseLogger) {
  const { connection, collections, views = {}, uses = {}, assertData, crashRecovery } = options
  const client = await connectClient(connection, 'indexes')
  const builds = buildLog(log)
  try {
    const db = client.db(name)
    await assertReplicaSet(db, connection)
    await assertPrivileges(db, uses, connection)
    await assertDataVersion(db)
    if (crashRecovery) await killOrphanedSessions(db, crashRecovery.orphanedSessions)
    await ensureIndexes(db, collections, builds)
    await ensureViews(db, views)
    await assertData?.(db)
    // Last: one that does not start leaves the data to the program before it.
    await raiseDataVersion(db)
  } finally {
    builds.close()
    await client.close()
  }
}
