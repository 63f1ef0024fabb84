import cookie from '@fastify/cookie'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import type { Db } from 'mongodb'
import { registerRoutes } from './api.ts'
import { assertNotRestoring } from './backup/load.ts'
import { collectionsOf, usesOf, viewsOf } from './collections.ts'
import type { AppConfig } from './config.ts'
import { createContext } from './context.ts'
import { assertPeppersConfigured } from './credentials/check-peppers.ts'
import type { Connection } from './database/connection.ts'
import { type CrashRecovery, database } from './database/plugin.ts'
import { databaseChecks } from './database/readiness.ts'
import { docsPage } from './docs-page/routes.ts'
import { parseBodies } from './http/body-parser.ts'
import { readClientInfo } from './http/client-info.ts'
import { enforceDeadlines } from './http/deadline.ts'
import { supportDraining } from './http/drain.ts'
import { answerWithProblems } from './http/errors.ts'
import { securityHeaders, sendHeaders } from './http/headers.ts'
import { expectLateFailures } from './http/late-failures.ts'
import { refuseOtherMethods } from './http/method-not-allowed.ts'
import { outageRoom } from './http/outage-room.ts'
import { browserUrl } from './http/public-origins.ts'
import { refuseUnknownQueries } from './http/query.ts'
import { serializerCompiler } from './http/serializer.ts'
import { limitRequests, serverOptions } from './http/server.ts'
import { closeOnUnreadBodies } from './http/unread-bodies.ts'
import { queueChanges } from './http/waiting-room.ts'
import { limitConnections } from './limits/connections.ts'
import { requestClient } from './limits/request-client.ts'
import { requestPace } from './limits/request-pace.ts'
import { limitRequestsInProgress } from './limits/requests-in-progress.ts'
import { throttleKey } from './limits/throttle-key.ts'
import { limitUnreadAnswers } from './limits/unread-answers.ts'
import { clockReadiness } from './operations/clock-check.ts'
import { measureDatabase } from './operations/database-metrics.ts'
import { createLogger, logRequests } from './operations/logging.ts'
import { metrics } from './operations/metrics.ts'
import { openapi } from './operations/openapi/plugin.ts'
import { measureQueues } from './operations/queue-metrics.ts'
import { measureReadiness, readinessChecks } from './operations/readiness.ts'
import { measureWriter } from './operations/writer-metrics.ts'
import { pageFiles } from './page/routes.ts'
import { assertTotpKeysConfigured } from './second-factor/check-totp-keys.ts'
import type { LiveKeys } from './secrets/key-ring.ts'
import { type LiveSecrets, liveSecrets } from './secrets/live.ts'
import type { SecretAge } from './secrets/refresh.ts'
import { serviceNames } from './services.ts'
import { accessTokens } from './sessions/access-token.ts'
import { revocationCheck } from './sessions/readiness.ts'
import { type CheckedWriter, localWriter } from './write-operations.ts'

/** The program's part: the secrets and, in a process of a cluster, its writer and its predecessor's crash. */
export type AppParts = {
  secrets?: LiveSecrets
  secretAges?: () => SecretAge[]
  /** Of this process, in metrics. */
  process?: string
  writer?: CheckedWriter
  crashRecovery?: CrashRecovery
}

/** @throws StartError when the database is unreachable or cannot be used */
export async function buildApp(
  config: AppConfig,
  connection: Connection,
  log: FastifyBaseLogger = createLogger(config.log),
  { secrets = liveSecrets(config.secrets, log), secretAges, process, writer: remote, crashRecovery }: AppParts = {},
) {
  const { services } = config
  const servesAccounts = services.includes('accounts')
  const servesAll = serviceNames.every((name) => services.includes(name))
  const headers = securityHeaders({ secure: config.cookieSecure })
  const inOutage = outageRoom({
    headers,
    clientOf: requestClient(config.trustedProxies),
    ping: () => app.signals.command({ ping: 1 }),
    onRefused(refused) {
      app.countRejected('database-unavailable', refused)
      log.warn({ refused }, `${refused} requests were refused: the database does not answer`)
    },
  })
  const admit = limitRequestsInProgress({
    headers,
    perAddress: config.limits.connectionsPerAddress,
    trustedProxies: config.trustedProxies,
    onRefused(refused, limit) {
      app.countRejected('rate-limited', refused)
      log.warn({ refused, limit }, `${refused} requests were refused: a client behind a proxy has too many in progress`)
    },
  })
  const app: FastifyInstance = Fastify({
    ...serverOptions(headers, {
      delayMsOf: requestPace({ perSecond: config.limits.requestsPerSecond, ...config }),
      admit,
      guard: inOutage,
    }),
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('viewer', null)
  app.decorateRequest('claimedIdentity', null)

  const otherMethods = refuseOtherMethods(app)
  answerWithProblems(app)
  const tracing = config.tracing && (await (await import('./telemetry/tracing.ts')).traceRequests(app, config.tracing))
  queueChanges(app, headers)
  logRequests(app)
  await app.register(metrics, { address: config.metrics, process, secretAges })
  const readiness = readinessChecks()
  app.decorate('readiness', readiness)
  measureReadiness(app.metrics, readiness)
  sendHeaders(app, headers)
  limitRequests(app)
  closeOnUnreadBodies(app)
  supportDraining(app, config)
  limitConnections(app, { perAddress: config.limits.connectionsPerAddress, ...config })
  limitUnreadAnswers(app, config)
  readClientInfo(app, config.trustedProxies)
  refuseUnknownQueries(app)
  parseBodies(app)
  enforceDeadlines(app)
  expectLateFailures(app)

  // Hashed passwords, and failed logins below, belong to one service: another cannot even read them.
  const assertPeppers = async (db: Db, { peppers } = secrets.current) => {
    if (servesAccounts) await assertPeppersConfigured(db, peppers)
  }
  const assertTotpKeys = async (db: Db, { totpKeys } = secrets.current) => {
    if (servesAccounts) await assertTotpKeysConfigured(db, totpKeys)
  }
  const collections = collectionsOf(services)
  await app.register(database, {
    connection: { ...connection, ...tracing },
    collections,
    views: viewsOf(services),
    uses: usesOf(services),
    role: remote ? 'requests' : 'both',
    async assertData(db) {
      await assertNotRestoring(db)
      await assertPeppers(db)
      await assertTotpKeys(db)
    },
    crashRecovery,
    onAccessRefused: () => void secrets.refresh('database-refused'),
  })
  const { databaseUser, db, endOrphans, signals, transact, writing } = app
  secrets.prepare('database', async (next) => void (await databaseUser.replace(next.database)))
  secrets.prepare('peppers', (next) => assertPeppers(db, next))
  secrets.prepare('totpKeys', (next) => assertTotpKeys(db, next))
  measureDatabase(app.metrics, signals, app.pools)
  const writer =
    remote ?? localWriter(writing.db, writing.transact, { ...measureWriter(app.metrics), onLocked: endOrphans })
  const context = createContext(config, {
    db,
    isDraining: () => app.draining,
    log,
    noteRefusal: databaseUser.noteRefusal,
    origin: () => config.publicOrigins?.[0] ?? browserUrl(config.host, listeningPort(app) ?? config.port),
    registry: app.metrics,
    secrets,
    signals,
    throttleKey: servesAccounts ? await throttleKey(db, config.secrets.throttleKey) : '',
    transact,
    writer,
  })
  if (servesAccounts) context.passwords.warm()
  app.decorate('securityLog', context.securityLog)
  measureQueues(app.metrics, db, context)
  readiness.add(
    ...databaseChecks(signals),
    revocationCheck(context.revocations),
    clockReadiness(context.clock),
    ...writer.checks,
  )
  databaseUser.onReplaced(context.feed.reopen)
  const sweepers = Object.values(context.sweepers)
  app.addHook('onReady', async () => {
    for (const { wake } of sweepers) wake()
    context.clock.start()
  })
  // Its port is in the links of mails.
  app.addHook('onListen', async () => {
    if (servesAccounts && context.isMailOn) context.mailSender.start()
  })
  // Before the server waits for its connections.
  app.addHook('preClose', async () => context.streams.endAll())
  app.addHook('onClose', async () => {
    context.clock.close()
    context.securityLog.close()
    await Promise.all([...sweepers, context.feed, context.mailSender, context.streams].map((part) => part.close()))
  })

  const keys: LiveKeys = {
    current: () => secrets.current.signKeys,
    refresh: () => secrets.refresh('unknown-key'),
  }
  const parts = { config, context, keys }
  // It keeps the first cookie of a name: http/cookie-header.ts reads them all.
  await app.register(cookie, { hook: false })
  await app.register(accessTokens, { keys })
  await app.register(openapi, {
    accessCookie: context.cookies.accessName,
    // All routes, whichever this program serves: the services share one origin.
    describe: servesAll ? undefined : (described) => registerRoutes(described, serviceNames, parts),
  })
  if (config.docs) await app.register(docsPage, context)
  if (config.page) await app.register(pageFiles, context)
  await registerRoutes(app, services, parts)
  await app.register(otherMethods)
  return app
}

function listeningPort({ server }: FastifyInstance): number | undefined {
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : undefined
}

export type App = Awaited<ReturnType<typeof buildApp>>
