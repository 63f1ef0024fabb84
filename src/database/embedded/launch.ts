import { open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '../../start-error.ts'
import type { DataFolder } from './data-folder.ts'
import { type Leashed, startOnLeash } from './leash.ts'
import { type Failure, logSize, readFailure, rotateLog } from './log-file.ts'
import { replicaSet } from './owner.ts'
import { waitUntilOpen } from './port.ts'
import { settlePort } from './settle-port.ts'

export type Launched = Leashed & {
  port: number
  /** Resolves true when mongod accepts connections, false when it is gone before. */
  opened: Promise<boolean>
  failure(): Promise<Failure>
}

/** Starts mongod on the folder and does not wait. */
export async function launch(folder: DataFolder, binary: string, port: number): Promise<Launched> {
  await rotateLog(folder.logFile)
  const from = await logSize(folder.logFile)
  const log = await open(folder.logFile, 'a', 0o600)
  try {
    const leashed = startOnLeash(binary, argumentsFor(folder, port), log.fd)
    const stop = new AbortController()
    const gone = leashed.gone.then(() => stop.abort())
    const opened = waitUntilOpen(port, stop.signal)
    return { ...leashed, port, opened, failure: () => gone.then(() => readFailure(folder.logFile, from)) }
  } finally {
    await log.close()
  }
}

/**
 * Starts mongod on the port of the last time, or another, and waits until it accepts connections. A mongod that is
 * still closing is waited for.
 * @throws StartError with mongod's own reason if it does not start
 */
export async function launchFirst(folder: DataFolder, binary: string, patienceMs: number): Promise<Launched> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const port = await settlePort(folder, deadline)
    const mongod = await launch(folder, binary, port)
    if (await mongod.opened) return mongod
    const { kind, message } = await mongod.failure()
    if (kind === 'other' || Date.now() > deadline) {
      throw new StartError(
        `MongoDB does not start on DATA_DIR ${folder.root}: ${message}. Its log is ${folder.logFile}`,
      )
    }
    await delay(100)
  }
}

function argumentsFor(folder: DataFolder, port: number): string[] {
  return [
    ...['--replSet', replicaSet, '--keyFile', folder.keyFile, '--dbpath', folder.data],
    ...['--bind_ip', '127.0.0.1', '--port', String(port), '--nounixsocket'],
    ...['--logpath', folder.logFile, '--logappend', '--logRotate', 'reopen', '--quiet'],
    ...['--wiredTigerCacheSizeGB', '0.5', '--oplogSize', '1024'],
    // Nothing to gain on loopback, and one parser less before the login.
    ...['--networkMessageCompressors', 'disabled'],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    // Or whoever is on this machine could make himself root before the first user is there; we come in by the key file.
    ...['--setParameter', 'enableLocalhostAuthBypass=false'],
    // There is no other node to hand over to: the default would wait 15 s for one.
    ...['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=100'],
  ]
}
