import type { Api } from './apis/api.ts'
import { pathsApi } from './apis/paths.ts'
import { pocketbaseApi } from './apis/pocketbase.ts'

type Description = {
  title: string
  api: Api
  /** Whether it knows accounts and sessions. */
  accounts: boolean
}

/** The servers that are compared, in the order of the table. */
export const sides = {
  flask: { title: 'Flask', accounts: true, api: pathsApi },
  express: { title: 'Express', accounts: true, api: pathsApi },
  pocketbase: { title: 'PocketBase', accounts: true, api: pocketbaseApi },
  bare: { title: 'bare Fastify', accounts: false, api: pathsApi },
  constant: { title: 'hello, world', accounts: false, api: pathsApi },
  bcrypt: { title: 'raw bcrypt', accounts: false, api: pathsApi },
  'one-transaction': { title: 'one transaction each', accounts: true, api: pathsApi },
  rookery: { title: 'Rookery', accounts: true, api: pathsApi },
} as const satisfies Record<string, Description>

export type Side = keyof typeof sides

// Object.keys knows no literal types.
export const sideNames = Object.keys(sides) as Side[]
