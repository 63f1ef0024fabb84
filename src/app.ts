import cookie from '@fastify/cookie'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import type { Db } from 'mongodb'
import { passwordRoutes } from './accounts/change-password.ts'
import { deleteAccountRoute } from './accounts/delete-account.ts'
import { exportRoute } from './accounts/export.ts'
import { accountRoutes, publicAccountRoutes, signUpRoute } from './accounts/routes.ts'
import { activityRoutes } from './activity/routes.ts'
import { analyticsRoutes } from './analytics/routes.ts'
import { collections } from './collections.ts'
import type { AppConfig } from './config.ts'
import { createContext } from './context.ts'
import { assertPeppersConfigured } from './credentials/check-peppers.ts'
import type { Connection } from './database/connection.ts'
import { type CrashRecovery, database } from './database/plugin.ts'
import { followRoutes, publicFollowRoutes } from './follows/routes.ts'
import { parseBodies } from './http/body-parser.ts'
import { readClientInfo } from './http/client-info.ts'
import { enforceDeadlines } from './http/deadline.ts'
import { supportDraining } from './http/drain.ts'
import { answerWithProblems } from './http/errors.ts'
import { securityHeaders, sendHeaders } from './http/headers.ts'
import { refuseOtherMethods } from './http/method-not-allowed.ts'
import { refuseCrossSite } from './http/origin.ts'
import { refuseUnknownQueries } from './http/query.ts'
import { limitRequests, serverOptions } from './http/server.ts'
import { limitWrites } from './limits/hooks.ts'
import { health } from './operations/health.ts'
import { createLogger, logRequests } from './operations/logging.ts'
import { metrics } from './operations/metrics.ts'
import { documents, openapi } from './operations/openapi.ts'
import { postRoutes, publicPostRoutes } from './posts/routes.ts'
import { ownReactionRoutes, publicReactionRoutes, reactionRoutes } from './reactions/routes.ts'
import { accessTokens } from './sessions/access-token.ts'
import { optionalSession, requireSession, requireViewer } from './sessions/auth-hooks.ts'
import { ownSessionRoutes, sessionRoutes } from './sessions/routes.ts'
import { timelineRoutes } from './timeline/routes.ts'
import { localWriter, type Writer } from './write-operations.ts'

/** For a process of a cluster: its writer, how to recover from a crash of its predecessor, and what a refused user causes. */
export type Cluster = { writer?: Writer; crashRecovery?: CrashRecovery; onAccessRefused?: () => void }

/** @throws StartError when the database is unreachable or cannot be used */
export async function buildApp(
  config: AppConfig,
  connection: Connection,
  log: FastifyBaseLogger = createLogger(config.log),
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
  supportDraining(app)
  readClientInfo(app)
  refuseUnknownQueries(app)
  parseBodies(app)
  enforceDeadlines(app)

  const { writer, crashRecovery, onAccessRefused } = cluster
  const assertPeppers = (db: Db) => assertPeppersConfigured(db, config.peppers)
  await app.register(database, { connection, collections, assertData: assertPeppers, crashRecovery, onAccessRefused })
  const context = createContext(config, app, writer ?? localWriter(app.db, app.transact))
  app.databaseUser.onReplaced(context.feed.reopen)
  const sweepers = Object.values(context.sweepers)
  app.addHook('onReady', async () => {
    for (const { wake } of sweepers) wake()
    context.passwords.warm()
  })
  app.addHook('onClose', async () => {
    await Promise.all([...sweepers, context.feed].map((part) => part.close()))
  })

  await app.register(openapi, { accessCookie: context.cookies.accessName })
  await app.register(documents)
  await app.register(health)
  await app.register(cookie)
  await app.register(accessTokens, { signKey: config.jwtSignKey })

  await app.register(
    async (api) => {
      await api.register(refuseCrossSite, config)

      await api.register(signUpRoute, context)
      await api.register(sessionRoutes, context)

      await api.register(async (everyone) => {
        await everyone.register(optionalSession, context)
        await everyone.register(publicAccountRoutes, context)
        await everyone.register(publicPostRoutes, context)
        await everyone.register(publicReactionRoutes, context)
        await everyone.register(publicFollowRoutes, context)
      })

      await api.register(async (signedIn) => {
        await signedIn.register(requireSession, context)
        await signedIn.register(limitWrites, { ...context, viewerOf: requireViewer })
        await signedIn.register(accountRoutes, context)
        await signedIn.register(activityRoutes, context)
        await signedIn.register(passwordRoutes, context)
        await signedIn.register(ownSessionRoutes, context)
        await signedIn.register(exportRoute, context)
        await signedIn.register(deleteAccountRoute, context)
        await signedIn.register(postRoutes, context)
        await signedIn.register(ownReactionRoutes, context)
        await signedIn.register(reactionRoutes, context)
        await signedIn.register(followRoutes, context)
        await signedIn.register(timelineRoutes, context)
        await signedIn.register(analyticsRoutes, context)
      })
    },
    { prefix: '/v1' },
  )
  await app.register(otherMethods)
  return app
}

export type App = Awaited<ReturnType<typeof buildApp>>
