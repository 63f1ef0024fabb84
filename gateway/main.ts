import { fileURLToPath } from 'node:url'
import { loadConfig } from '../src/config.ts'
import { startEmbeddedMongod } from '../src/embedded-mongod/start.ts'
import { loadEnv } from '../src/environment/load-env.ts'
import { browserUrl } from '../src/http/public-origins.ts'
import { createLogger } from '../src/operations/logging.ts'
import { botCommand } from '../src/processes/bot-command.ts'
import { checkPort } from '../src/processes/check-ports.ts'
import { freePort } from '../src/processes/free-port.ts'
import { type ServiceName, serviceNames } from '../src/services.ts'
import { onHangUp, onShutdownSignal } from '../src/shutdown-signal.ts'
import { exitCodeOf, StartError, toErrorText } from '../src/start-error.ts'
import type { Gateway } from './gateway.ts'
import { prepareServices, writePublicRing } from './prepare-services.ts'
import { startServiceProcess } from './service-process.ts'
import { startGateway } from './start.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Each service and its metrics get a free port. They might not be ready yet. */
function startServices(settings: Record<ServiceName, NodeJS.ProcessEnv>) {
  return Promise.all(
    serviceNames.map(async (name) => {
      const metricsPort = await freePort('127.0.0.1')
      const env = { ...settings[name], METRICS_PORT: String(metricsPort) }
      return { name, metricsPort, ...startServiceProcess(name, await freePort('127.0.0.1'), env) }
    }),
  )
}

/** Runs both services and the gateway on one machine, on an embedded MongoDB: npm run services. */
async function start(): Promise<void> {
  const { env, dotEnvNames } = loadEnv()
  const { config, texts, reader } = await loadConfig(env, root, { dotEnvNames })
  reader.close()
  const log = createLogger(config.log)
  const { database, secrets, host, publicOrigins } = config
  if (database.kind === 'external')
    throw new StartError(
      'npm run services uses the embedded MongoDB: unset MONGODB_URI. For others see docs/operations.md.',
    )
  const port = config.port || (await freePort(host))
  const beforeStart = () => checkPort({ host, port })
  const mongod = await startEmbeddedMongod({ ...database, ...secrets.database, beforeStart, log })
  let services: Awaited<ReturnType<typeof startServices>> = []
  let gateway: Gateway | undefined
  const close = async () => {
    mongod.announceClosing()
    // The services first: what they answer still passes through the gateway.
    for (const { kill } of services) kill('SIGTERM')
    await Promise.all(services.map(({ exited }) => exited))
    await gateway?.close()
    await mongod.close()
  }
  try {
    const { dataDir } = database
    const settings = await prepareServices(mongod, { dataDir, host, port, publicOrigins, texts })
    services = await startServices(settings)
    await Promise.all(services.map(({ ready }) => ready()))
    const [accounts, posts] = services.map(({ address }) => address)
    gateway = await startGateway({ host, port, addresses: { accounts: accounts ?? '', posts: posts ?? '' } })

    let isClosing = false
    function exit(code: number): void {
      isClosing = true
      close().then(
        () => process.exit(code),
        (error) => {
          log.error({ err: error }, 'shutdown failed')
          process.exit(1)
        },
      )
    }
    onShutdownSignal(
      () => exit(0),
      () => process.exit(1),
    )
    onHangUp(() => {
      writePublicRing(dataDir)
        .catch((error) => log.warn({ reason: error.message }, 'the public keys of the ring were not written'))
        .finally(() => {
          for (const { kill } of services) kill('SIGHUP')
        })
    })
    for (const { name, exited } of [...services, gateway])
      exited.then((exitCode) => {
        if (isClosing) return
        log.error({ service: name, exitCode }, 'service exited unexpectedly: shutting down')
        exit(1)
      })

    const url = browserUrl(host, port)
    for (const { name, address, metricsPort } of services)
      log.info(`${name.padEnd(11)} http://${address}, metrics http://127.0.0.1:${metricsPort}/metrics`)
    log.info(`Rookery listens on ${url}, by ${gateway.name} in front of two services`)
    log.info(`Try next    ${botCommand(url)}   (in a second terminal)`)
  } catch (error) {
    await close()
    throw error
  }
}

start().catch((error) => {
  process.stderr.write(`${toErrorText(error)}\n`)
  process.exit(exitCodeOf(error))
})
