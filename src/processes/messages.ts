import type { AppConfig } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import type { CrashRecovery } from '../database/plugin.ts'
import type { ProcessMetrics } from '../operations/metrics.ts'
import type { RefreshReason } from '../secrets/live.ts'
import type { Secrets } from '../secrets/secrets.ts'
import type { StartFault } from '../start-error.ts'

export type Role = 'api' | 'writer'

export type StartMessage = {
  kind: 'start'
  role: Role
  /** Of the process, in metrics: its role and its slot. */
  name: string
  config: AppConfig
  connection: Connection
  socket: string
  orphanedSessions: CrashRecovery['orphanedSessions']
}

export type PrimaryMessage =
  | StartMessage
  | { kind: 'stop'; isReplaced: boolean }
  | { kind: 'metrics' }
  | { kind: 'secrets'; changes: Partial<Secrets> }
  | { kind: 'secrets-refreshed'; id: number }

export type WorkerMessage =
  | { kind: 'alive' }
  | { kind: 'ready'; url: string }
  | { kind: 'session'; id: string }
  | { kind: 'metrics'; metrics: ProcessMetrics }
  | { kind: 'secrets-updated' }
  | { kind: 'cut'; requests: number }
  | { kind: 'refresh-secrets'; id: number; reason: RefreshReason }
  | { kind: 'start-error'; message: string; fault: StartFault | undefined }
