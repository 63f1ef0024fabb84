import type { AppConfig } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import type { CrashRecovery } from '../database/plugin.ts'
import type { Measured } from '../operations/metrics.ts'

/** The role of a worker of the cluster: an API process serves HTTP, the writer process writes for all of them. */
export type Role = 'api' | 'writer'

/** The first message from the primary to a worker. */
export type StartMessage = {
  kind: 'start'
  role: Role
  config: AppConfig
  connection: Connection
  /** Path of the Unix socket between the API processes and the writer process. */
  socket: string
  orphanedSessions: CrashRecovery['orphanedSessions']
}

export type PrimaryMessage = StartMessage | { kind: 'stop' } | { kind: 'metrics' }

export type WorkerMessage =
  | { kind: 'ready'; url: string }
  /** The worker uses a MongoDB session that it has not used before. */
  | { kind: 'session'; id: string }
  | { kind: 'metrics'; metrics: Measured }
  /** The worker cannot start; `message` is the text of the StartError. */
  | { kind: 'start-error'; message: string }
