import type { ServiceName } from '../src/services.ts'

export type GatewayOptions = {
  host: string
  port: number
  /** Where each service listens, such as 127.0.0.1:5001. */
  addresses: Readonly<Record<ServiceName, string>>
}

export type Gateway = {
  name: string
  /** Resolves when it has ended, with its exit code. */
  exited: Promise<number | null>
  close(): Promise<void>
}
