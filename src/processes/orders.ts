import type { AppConfig } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import type { Succession } from '../database/plugin.ts'
import type { Measured } from '../operations/metrics.ts'

/** What a process of the cluster is for: it serves HTTP, or writes for all that do. */
export type Role = 'front' | 'writer'

/** What the primary tells a process when it starts. */
export type Begin = {
  kind: 'begin'
  role: Role
  config: AppConfig
  connection: Connection
  /** The Unix socket between fronts and writer. */
  socket: string
  abandoned: Succession['abandoned']
}

/** What the primary tells a process. */
export type Order = Begin | { kind: 'end' } | { kind: 'metrics' }

/** What a process tells the primary. */
export type Report =
  | { kind: 'ready'; url: string }
  /** It uses a session of MongoDB that it has not used before. */
  | { kind: 'session'; id: string }
  | { kind: 'metrics'; metrics: Measured }
  /** It cannot start, for a reason that a person can act on. */
  | { kind: 'fault'; message: string }
