import type { RouteOptions } from 'fastify'

/** For a hook `onRoute`: the OpenAPI document then has the route's 429. */
export function mayAnswer429(route: RouteOptions): void {
  route.config = { ...route.config, problems: [...(route.config?.problems ?? []), 'rate-limited'] }
}
