/** In the order in which chaos takes them. */
export const faultNames = [
  'kill-mongod',
  'lost-command',
  'kill-server',
  'late-command',
  'kill-api',
  'lost-reply',
  'kill-writer',
  'frozen-mongod',
  'cut-connection',
  'delayed-replies',
  'frozen-writer',
  'clock-step',
  'frozen-link',
  'disconnected',
] as const

export type FaultName = (typeof faultNames)[number]

/** These hit a worker of the cluster, which a server of one process does not have. */
export const clusterFaultNames: readonly FaultName[] = ['kill-writer', 'frozen-writer', 'kill-api']

/** How often a fault must happen before a round shows anything: each victim of SIGKILL falls three times. */
export const timesNeeded = (name: FaultName): number => (name.startsWith('kill-') ? 3 : 1)

/**
 * `detail` is for the report. `end` is called after `lastsMs`, or earlier when the bot has ended; it resolves to what
 * the server did about the fault, if that shows.
 */
export type OngoingFault = { detail: string; lastsMs: number; end(): Promise<string | undefined> }

/** Resolves to undefined when the fault cannot happen now: no such process runs, or no such command was sent. */
export type BeginFault = (stop: AbortSignal) => Promise<OngoingFault | undefined>

/** A fault that is over when it has begun. */
export const momentaryFault = (detail: string): OngoingFault => ({ detail, lastsMs: 0, end: async () => undefined })
