import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Environment } from '../../environment/environment.ts'
import { StartError } from '../../start-error.ts'

/** The secrets. Each can also be read from the file that `NAME_FILE` names. */
export const vaultSecretNames: readonly string[] = ['VAULT_TOKEN', 'VAULT_SECRET_ID']

export const vaultVariableNames: readonly string[] = [
  'VAULT_ADDR',
  'VAULT_NAMESPACE',
  'VAULT_ROLE_ID',
  'VAULT_APPROLE_MOUNT',
  'VAULT_KUBERNETES_ROLE',
  'VAULT_KUBERNETES_MOUNT',
  'VAULT_KUBERNETES_TOKEN_FILE',
  ...vaultSecretNames,
]

/** What proves our identity, with the variable that a fault names. */
export type Proof = { variable: string; isFixed: boolean; read(): Promise<string> }

export type LogInMethod =
  | { kind: 'token'; token: Proof }
  | { kind: 'approle'; mount: string; roleId: string; secretId: Proof }
  | { kind: 'kubernetes'; mount: string; role: string; serviceAccount: Proof }

export type VaultSettings = { address: URL; namespace: string | undefined; method: LogInMethod }

// The error of fetch() for a header that it refuses contains the header's value.
const isHeaderText = (text: string) => /^[\x21-\x7e]+$/.test(text)

/** @throws StartError if VAULT_ADDR is missing or no URL, or if there is not exactly one way to log in */
export function readVaultSettings(env: Environment, root: string): VaultSettings {
  const namespace = env.VAULT_NAMESPACE || undefined
  if (namespace !== undefined && !isHeaderText(namespace))
    throw new StartError('VAULT_NAMESPACE contains characters that no namespace has: set one such as team/app.')
  return { address: readAddress(env.VAULT_ADDR), namespace, method: readMethod(env, root) }
}

function readAddress(text: string | undefined): URL {
  const example = 'such as https://vault.example:8200'
  if (!text) throw new StartError(`VAULT_ADDR is missing: set the address of Vault, ${example}.`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw new StartError(`VAULT_ADDR must be an http or https URL without credentials, ${example}.`)
  return url
}

function readMethod(env: Environment, root: string): LogInMethod {
  const names = ['VAULT_TOKEN', 'VAULT_TOKEN_FILE', 'VAULT_ROLE_ID', 'VAULT_KUBERNETES_ROLE']
  const given = names.filter((name) => env[name])
  if (given.length > 1) throw new StartError(`${given.join(' and ')} are set: keep one way to log in to Vault.`)
  const { VAULT_TOKEN, VAULT_TOKEN_FILE, VAULT_ROLE_ID, VAULT_KUBERNETES_ROLE } = env
  if (VAULT_TOKEN) return { kind: 'token', token: fixed('VAULT_TOKEN', VAULT_TOKEN) }
  if (VAULT_TOKEN_FILE) return { kind: 'token', token: inFile('VAULT_TOKEN_FILE', VAULT_TOKEN_FILE, root) }
  if (VAULT_ROLE_ID) {
    const mount = env.VAULT_APPROLE_MOUNT || 'approle'
    return { kind: 'approle', mount, roleId: VAULT_ROLE_ID, secretId: readSecretId(env, root) }
  }
  if (VAULT_KUBERNETES_ROLE) {
    const path = env.VAULT_KUBERNETES_TOKEN_FILE || '/var/run/secrets/kubernetes.io/serviceaccount/token'
    const serviceAccount = inFile('VAULT_KUBERNETES_TOKEN_FILE', path, root)
    const mount = env.VAULT_KUBERNETES_MOUNT || 'kubernetes'
    return { kind: 'kubernetes', mount, role: VAULT_KUBERNETES_ROLE, serviceAccount }
  }
  throw new StartError(
    'There is no way to log in to Vault: set VAULT_TOKEN, VAULT_TOKEN_FILE, VAULT_ROLE_ID with VAULT_SECRET_ID, or VAULT_KUBERNETES_ROLE.',
  )
}

function readSecretId({ VAULT_SECRET_ID, VAULT_SECRET_ID_FILE }: Environment, root: string): Proof {
  if (VAULT_SECRET_ID && VAULT_SECRET_ID_FILE)
    throw new StartError('VAULT_SECRET_ID and VAULT_SECRET_ID_FILE are both set: remove one of them.')
  if (VAULT_SECRET_ID) return fixed('VAULT_SECRET_ID', VAULT_SECRET_ID)
  if (VAULT_SECRET_ID_FILE) return inFile('VAULT_SECRET_ID_FILE', VAULT_SECRET_ID_FILE, root)
  throw new StartError('VAULT_ROLE_ID is set without a secret ID: set VAULT_SECRET_ID or VAULT_SECRET_ID_FILE.')
}

function fixed(variable: string, text: string): Proof {
  if (!isHeaderText(text))
    throw new StartError(`${variable} contains white space or other characters that it must not.`)
  return { variable, isFixed: true, read: async () => text }
}

/** Read at each login: Vault Agent and Kubernetes replace the file's content before it expires. */
function inFile(variable: string, path: string, root: string): Proof {
  async function read() {
    const text = await readFile(resolve(root, path), 'utf8').catch(() => undefined)
    if (text === undefined)
      throw new StartError(`${variable} names a file that cannot be read: check its path and permissions.`)
    if (!isHeaderText(text.trim())) throw new StartError(`${variable} names a file that contains no single token.`)
    return text.trim()
  }
  return { variable, isFixed: false, read }
}
