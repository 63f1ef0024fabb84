import cookie from '@fastify/cookie'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import type { Db } from 'mongodb'
import { ownPassword } from './accounts/change-password.ts'
import { removeAccount } from './accounts/delete-account.ts'
import { exportAccount } from './accounts/export.ts'
import { ownAccount, readAccounts, signUp } from './accounts/routes.ts'
import { ownActivity } from './activity/routes.ts'
import { analytics } from './analytics/routes.ts'
import { collections } from './collections.ts'
import type { AppConfig } from './config.ts'
import { makeParts } from './context.ts'
import { demandPeppers } from './credentials/check-peppers.ts'
import type { Connection } from './database/connection.ts'
import { type CrashRecovery, database } from './database/plugin.ts'
import { readFollows, writeFollows } from './follows/routes.ts'
import { readBodies } from './http/body-parser.ts'
import { noteClient } from './http/client-info.ts'
import { boundHandlers } from './http/deadline.ts'
import { drainOnDemand } from './http/drain.ts'
import { answerWithProblems } from './http/errors.ts'
import { securityHeaders, sendHeaders } from './http/headers.ts'
import { refuseOtherMethods } from './http/method-not-allowed.ts'
import { refuseCrossSite } from './http/origin.ts'
import { refuseUnknownQueries } from './http/query.ts'
import { limitRequests, serverOptions } from './http/server.ts'
import { limitWrites } from './limits/hooks.ts'
import { health } from './operations/health.ts'
import { logRequests, makeLogger } from './operations/logging.ts'
import { metrics } from './operations/metrics.ts'
import { documents, openapi } from './operations/openapi.ts'
import { readPosts, writePosts } from './posts/routes.ts'
import { ownReactions, readReactions, writeReactions } from './reactions/routes.ts'
import { accessTokens } from './sessions/access-token.ts'
import { member, requireSession, viewerIfAny } from './sessions/auth-hooks.ts'
import { ownSessions, sessionEntry } from './sessions/routes.ts'
import { timeline } from './timeline/routes.ts'
import type { Writer } from './write-operations.ts'
import { localWriter } from './writer/local.ts'

/** What the other processes of a cluster provide. */
export type Cluster = { writer?: Writer; crashRecovery?: CrashRecovery }

/**
 * The whole server, ready to listen: what there is, in the order in which a request meets it.
 *
 * @param cluster - for an API process of a cluster: the writer (default: in this process), and crash recovery
 * @throws StartError when the database is not there or not as it must be.
 */
export async function buildApp(
  config: AppConfig,
  connection: Connection,
  log: FastifyBaseLogger = makeLogger(config.log),
  cluster: Cluster = {},
) {
  const headers = securityHeaders({ secure: config.cookieSecure })
  const app: FastifyInstance = Fastify({
    ...serverOptions(config.trustedProxies, headers),
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('viewer', null)

  const otherMethods = refuseOtherMethods(app)
  answerWithProblems(app)
  logRequests(app)
  await app.register(metrics, { address: config.metrics })
  sendHeaders(app, headers)
  limitRequests(app)
  drainOnDemand(app)
  noteClient(app)
  refuseUnknownQueries(app)
  readBodies(app)
  boundHandlers(app)

  const { writer, crashRecovery } = cluster
  const demand = (db: Db) => demandPeppers(db, config.peppers)
  await app.register(database, { connection, collections, assertData: demand, crashRecovery })
  const parts = makeParts(config, app.db, app.transact, writer ?? localWriter(app.db, app.transact), app.log)
  const sweepers = Object.values(parts.sweepers)
  app.addHook('onReady', async () => {
    for (const { wake } of sweepers) wake()
  })
  app.addHook(
    'onClose',
    async () => void (await Promise.all([...sweepers, parts.passwords, parts.feed].map((part) => part.close()))),
  )

  await app.register(openapi, { accessCookie: parts.cookies.accessName })
  await app.register(documents)
  await app.register(health)
  await app.register(cookie)
  await app.register(accessTokens, { signKey: config.jwtSignKey })

  await app.register(
    async (api) => {
      await api.register(refuseCrossSite, config)

      // Logging in and out: with or without a session.
      await api.register(signUp, parts)
      await api.register(sessionEntry, parts)

      await api.register(async (everyone) => {
        await everyone.register(viewerIfAny, parts)
        await everyone.register(readAccounts, parts)
        await everyone.register(readPosts, parts)
        await everyone.register(readReactions, parts)
        await everyone.register(readFollows, parts)
      })

      await api.register(async (members) => {
        await members.register(requireSession, parts)
        await members.register(limitWrites, { ...parts, who: member })
        await members.register(ownAccount, parts)
        await members.register(ownActivity, parts)
        await members.register(ownPassword, parts)
        await members.register(ownSessions, parts)
        await members.register(exportAccount, parts)
        await members.register(removeAccount, parts)
        await members.register(writePosts, parts)
        await members.register(ownReactions, parts)
        await members.register(writeReactions, parts)
        await members.register(writeFollows, parts)
        await members.register(timeline, parts)
        await members.register(analytics, parts)
      })
    },
    { prefix: '/v1' },
  )
  await app.register(otherMethods)
  return app
}

export type App = Awaited<ReturnType<typeof buildApp>>
