import { spawnSync } from 'node:child_process'
import { startHttpProxy } from './http-proxy.ts'
import { startNginx } from './nginx.ts'
import type { ServiceName } from './paths.ts'

export type GatewayOptions = {
  host: string
  port: number
  /** Where each service listens, such as 127.0.0.1:5001. */
  addresses: Readonly<Record<ServiceName, string>>
}

export type Gateway = { name: string; close(): Promise<void> }

/** Starts nginx where it is installed, otherwise a proxy in this process. */
export function startGateway(options: GatewayOptions): Promise<Gateway> {
  const hasNginx = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).error === undefined
  return hasNginx ? startNginx(options) : startHttpProxy(options)
}
