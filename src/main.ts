import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { type Config, loadConfig } from './config.ts'
import { configWarnings } from './config-warnings.ts'
import { waitForDatabase } from './database/wait.ts'
import { startEmbeddedMongod } from './embedded-mongod/start.ts'
import { loadEnv } from './environment/load-env.ts'
import { assertOpenFiles } from './environment/open-files.ts'
import { createLogger } from './operations/logging.ts'
import { answersWhileStarting } from './processes/answer-while-starting.ts'
import { type Service, startApiServer } from './processes/api-server.ts'
import { botCommand } from './processes/bot-command.ts'
import { checkPorts } from './processes/check-ports.ts'
import { startPrimary } from './processes/primary.ts'
import type { Credentials } from './secrets/db-credentials.ts'
import { liveSecrets } from './secrets/live.ts'
import { type SecretRefresh, secretRefresh } from './secrets/refresh.ts'
import { serviceNames } from './services.ts'
import { interruptedExitCodes, onHangUp, onShutdownSignal, type ShutdownSignal } from './shutdown-signal.ts'
import { exitCodeOf, toErrorText } from './start-error.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

type Logger = ReturnType<typeof createLogger>

/** For what follows the last request: the writer's last batch, and the embedded mongod's 5 s. */
const closeTimeoutMs = 10_000

async function startDatabase(config: Config, log: Logger) {
  const { database, secrets } = config
  const { username, password } = secrets.database
  if (database.kind === 'external') {
    const connection = { uri: database.uri, username, password }
    await checkPorts(config)
    const answers = answersWhileStarting(config)
    const options = { patienceSeconds: config.startPatienceSeconds, log, onWait: answers.open }
    await waitForDatabase(connection, options).finally(answers.close)
    const noop = { announceClosing: () => undefined, setUser: async () => undefined, close: async () => undefined }
    return { connection, description: 'MONGODB_URI', ...noop }
  }
  const { dataDir, mongodBinary } = database
  let user = secrets.database
  const beforeStart = () => checkPorts(config)
  const takenPorts = [config.port, config.metrics.port]
  const mongod = await startEmbeddedMongod({ dataDir, username, password, mongodBinary, takenPorts, beforeStart, log })
  return {
    connection: { uri: mongod.uri, username, password },
    description: `embedded mongod, data in ${dataDir}`,
    announceClosing: () => mongod.announceClosing(),
    async setUser(next: Credentials) {
      if (isDeepStrictEqual(next, user)) return
      await mongod.setUser(next.username, next.password)
      user = next
    },
    close: () => mongod.close(),
  }
}

type Database = Awaited<ReturnType<typeof startDatabase>>

function startService(config: Config, { connection }: Database, log: Logger, secrets: () => SecretRefresh) {
  const refresh: SecretRefresh['refresh'] = (reason) => secrets().refresh(reason)
  const ages = () => secrets().ages()
  if (config.processes > 1) return startPrimary(config, connection, log, { refresh, ages })
  return startApiServer(config, connection, log, {
    secrets: liveSecrets(config.secrets, log, refresh),
    secretAges: ages,
  })
}

async function start(): Promise<void> {
  // From the beginning: a signal before there is something to reload must not end the process.
  let isMissed = false
  let reload = () => {
    isMissed = true
  }
  onHangUp(() => reload())
  // Until there is something to close. Without a handler, the first process of a container would ignore these signals.
  let shutDown = (signal: ShutdownSignal): void => process.exit(interruptedExitCodes[signal])
  onShutdownSignal(
    (signal) => shutDown(signal),
    () => process.exit(1),
  )
  assertOpenFiles()
  const { env, dotEnvNames } = loadEnv()
  const { config, texts, reader } = await loadConfig(env, root, { dotEnvNames })
  const log = createLogger(config.log)
  for (const { text, fields } of await configWarnings(config, env, root)) log.warn(fields, text)
  const database = await startDatabase(config, log)
  try {
    const starting = startService(config, database, log, () => secrets)
    const secrets = secretRefresh({
      reader,
      texts,
      rules: config,
      intervalSeconds: config.secretsRefreshSeconds,
      async apply(next) {
        const service = await starting
        await database.setUser(next.database)
        await service.updateSecrets(next)
      },
      log,
    })
    shutDown = closer(starting, { database, secrets, config, log })
    reload = () =>
      void secrets
        .refresh('signal')
        .then(async () => (await starting).replaceProcesses?.())
        // A start that fails is told below.
        .catch(() => undefined)
    if (isMissed) reload()
    const { url } = await starting
    // From another origin, the page's requests would be refused as cross-site.
    if (config.docs) log.info(`API page    ${config.publicOrigins?.[0] ?? url}/docs`)
    log.info(`Database    ${database.description}`)
    const servesAll = config.services.length === serviceNames.length
    if (config.log.readable && servesAll) log.info(`Try next    ${botCommand(url)}   (in a second terminal)`)
  } catch (error) {
    await database.close()
    throw error
  }
}

type Parts = { database: Database; secrets: SecretRefresh; config: Config; log: Logger }

/** Used before the start is complete: the first of several processes serves requests while the others start. */
function closer(starting: Promise<Service>, { database, secrets, config, log }: Parts) {
  const close = async () => {
    // A server that starts on the same DATA_DIR now waits for this one instead of failing.
    database.announceClosing()
    const service = await starting
    const cut = await service.drain()
    if (cut > 0) log.error({ requests: cut }, `${cut} requests were cut off at the end of GRACE_SECONDS`)
    secrets.close()
    await service.close()
    await database.close()
    return cut === 0 ? 0 : 1
  }
  return (signal: ShutdownSignal): void => {
    log.info({ signal }, 'shutting down: finishing the requests in progress')
    const { drainSeconds, graceSeconds } = config
    setTimeout(
      () => {
        log.error('the server did not close in time after its last request')
        process.exit(1)
      },
      (drainSeconds + graceSeconds) * 1_000 + closeTimeoutMs,
    ).unref()
    close().then(
      (exitCode) => process.exit(exitCode),
      (error) => {
        log.error({ err: error }, 'shutdown failed')
        process.exit(1)
      },
    )
  }
}

start().catch((error) => {
  process.stderr.write(`${toErrorText(error)}\n`)
  process.exit(exitCodeOf(error))
})
