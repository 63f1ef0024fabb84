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
  /** Resolves true when mongod accepts connections, false when it is gone before. */
  listening: Promise<boolean>
  startFailure(): Promise<StartFailure>
}

/** Starts mongod on the folder and does not wait. */
export async function spawnMongod(folder: DataDir, binary: string, port: number): Promise<MongodProcess> {
  await rotateLog(folder.logFile)
  const from = await logSize(folder.logFile)
  const log = await open(folder.logFile, 'a', 0o600)
  try {
    const leashed = spawnGuarded(binary, mongodArguments(folder, port), log.fd)
    const stop = new AbortController()
    const gone = leashed.exited.then(() => stop.abort())
    const opened = waitUntilListening(port, stop.signal)
    return {
      ...leashed,
      port,
      listening: opened,
      startFailure: () => gone.then(() => readStartFailure(folder.logFile, from)),
    }
  } finally {
    await log.close()
  }
}

/**
 * Starts mongod on the port of the last time, or another, and waits until it accepts connections. A mongod that is
 * still closing is waited for.
 * @throws StartError with mongod's own reason if it does not start
 */
export async function startMongod(folder: DataDir, binary: string, patienceMs: number): Promise<MongodProcess> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const port = await choosePort(folder, deadline)
    const mongod = await spawnMongod(folder, binary, port)
    if (await mongod.listening) return mongod
    const { kind, message } = await mongod.startFailure()
    if (kind === 'other' || Date.now() > deadline) {
      throw new StartError(
        `MongoDB does not start on DATA_DIR ${folder.root}: ${message}. Its log is ${folder.logFile}`,
      )
    }
    await delay(100)
  }
}

function mongodArguments(folder: DataDir, port: number): string[] {
  return [
    ...['--replSet', replicaSetName, '--keyFile', folder.keyFile, '--dbpath', folder.data],
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
