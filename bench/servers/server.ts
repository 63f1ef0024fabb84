export type ServerOptions = {
  /** Log in's scenarios have a cost as in production, the others a low one, so that 256 accounts sign up in seconds. */
  bcryptCost: number
  /** Rookery's number of processes. */
  processes: number
  /** Where Rookery writes CPU profiles. */
  profileDir: string | undefined
  /** Where Rookery, with one process, writes its log, without the lines of requests; default: none but errors, to standard output. */
  logFile?: string
}

export type Server = {
  port: number
  pid: number | undefined
  /** CPU time of all its processes so far, in microseconds; without /proc only that of the first, if at all. */
  cpuUs(): Promise<number>
  stop(): Promise<unknown>
}
