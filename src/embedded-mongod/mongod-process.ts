import { open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '../start-error.ts'
import { replicaSetName } from './admin.ts'
import { type GuardedChild, spawnGuarded } from './child-guard.ts'
import { choosePort } from './choose-port.ts'
import type { DataDir } from './data-dir.ts'
import { logSize, readStartFailure, rotateLog, type StartFailure } from './log-file.ts'
import { waitUntilListening } from './port.ts'

export type MongodProcess = GuardedChild & {
  port: number
  /** Resolves with true when mongod accepts connections, with false when it exits first. */
  listening: Promise<boolean>
  startFailure(): Promise<StartFailure>
}

export async function spawnMongod(dataDir: DataDir, binary: string, port: number): Promise<MongodProcess> {
  await rotateLog(dataDir.logFile)
  const from = await logSize(dataDir.logFile)
  const log = await open(dataDir.logFile, 'a', 0o600)
  try {
    const child = spawnGuarded(binary, mongodArguments(dataDir, port), log.fd)
    const stop = new AbortController()
    const exited = child.exited.then(() => stop.abort())
    const opened = waitUntilListening(port, stop.signal)
    return {
      ...child,
      port,
      listening: opened,
      startFailure: () => exited.then(() => readStartFailure(dataDir.logFile, from)),
    }
  } finally {
    await log.close()
  }
}

/**
 * Starts mongod and waits until it accepts connections, or until an earlier one has shut down (`shutdownWaitMs`).
 * @throws StartError with the reason from mongod's log
 */
export async function startMongod(
  dataDir: DataDir,
  binary: string,
  shutdownWaitMs: number,
  takenPorts: readonly number[] = [],
): Promise<MongodProcess> {
  const deadline = Date.now() + shutdownWaitMs
  for (;;) {
    const port = await choosePort(dataDir, deadline, takenPorts)
    const mongod = await spawnMongod(dataDir, binary, port)
    if (await mongod.listening) return mongod
    const { kind, message } = await mongod.startFailure()
    if (kind === 'other' || Date.now() > deadline) {
      throw new StartError(
        `MongoDB does not start on DATA_DIR ${dataDir.root}: ${message}. Its log is ${dataDir.logFile}`,
        'out-of-reach',
      )
    }
    await delay(100)
  }
}

function mongodArguments(dataDir: DataDir, port: number): string[] {
  return [
    ...['--replSet', replicaSetName, '--keyFile', dataDir.keyFile, '--dbpath', dataDir.dbPath],
    ...['--bind_ip', '127.0.0.1', '--port', String(port), '--nounixsocket'],
    ...['--logpath', dataDir.logFile, '--logappend', '--logRotate', 'reopen', '--quiet'],
    ...['--wiredTigerCacheSizeGB', '0.5', '--oplogSize', '1024'],
    // Useless on loopback, and one parser fewer that is reachable before authentication.
    ...['--networkMessageCompressors', 'disabled'],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    // Otherwise any local user could create the first administrator before we do. We log in with the key file.
    ...['--setParameter', 'enableLocalhostAuthBypass=false'],
    // A try of a transaction takes seconds: an older one belongs to a process that has exited or lost a message.
    ...['--setParameter', 'transactionLifetimeLimitSeconds=10'],
    // The default waits 15 s for another node to take over; there is none.
    ...['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=100'],
  ]
}
