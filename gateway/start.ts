import { spawnSync } from 'node:child_process'
import type { Gateway, GatewayOptions } from './gateway.ts'
import { startHttpProxy } from './http-proxy.ts'
import { startNginx } from './nginx.ts'

/** Starts nginx where it is installed, otherwise a proxy in this process. */
export function startGateway(options: GatewayOptions): Promise<Gateway> {
  const hasNginx = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).error === undefined
  return hasNginx ? startNginx(options) : startHttpProxy(options)
}
