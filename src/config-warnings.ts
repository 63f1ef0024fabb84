import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { allVariableNames, type Config } from './config.ts'
import { hostsOf, usesTls } from './database/uri-variable.ts'
import type { Environment } from './environment/environment.ts'
import { nearMisses } from './environment/unknown-names.ts'
import { defaultOrigins, isLoopback } from './http/public-origins.ts'
import { relyingPartyOf } from './passkeys/relying-party.ts'

export type ConfigWarning = { text: string; fields: Record<string, string> }

const others = { readOrWrite: 0o006, any: 0o007, enter: 0o001 }

/** Whether other users of the machine have access: a directory above that they cannot enter protects its content. */
async function isOpenToOthers(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || (found.mode & (found.isDirectory() ? others.any : others.readOrWrite)) === 0) return false
  for (let parent = dirname(path); parent !== dirname(parent); parent = dirname(parent)) {
    const above = await stat(parent).catch(() => undefined)
    if (above === undefined || (above.mode & others.enter) === 0) return false
  }
  return true
}

/** The hosts of a connection string on other machines; none when it uses TLS, as mongodb+srv does by default. */
function plainRemoteHosts(uri: string): string[] {
  if (usesTls(uri)) return []
  const nameOf = (host: string) => host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  // A Unix socket begins with an encoded slash.
  return hostsOf(uri)
    .split(',')
    .filter((host) => !/^%2f/i.test(host) && !isLoopback(nameOf(host)))
}

/** Measured after a load, with some to spare: docs/operations.md, "Capacity". */
const processMiB = 300

function memoryWarnings({ processes }: Config, limitBytes: number): ConfigWarning[] {
  const limitMiB = Math.floor(limitBytes / 1024 / 1024)
  // Above one, the primary and the writer process come with them.
  const neededMiB = (processes > 1 ? processes + 2 : 1) * processMiB
  if (limitMiB === 0 || limitMiB >= neededMiB) return []
  const text = `the memory limit is below ${processMiB} MiB for each process: raise it (MemoryMax, MEMORY_LIMIT), or lower WEB_CONCURRENCY`
  return [{ text, fields: { limitMiB: String(limitMiB), neededMiB: String(neededMiB) } }]
}

/**
 * What may not be what the operator expects, without being a fault.
 *
 * @param memoryLimitBytes - of the control group; 0 if there is none
 */
export async function configWarnings(
  config: Config,
  env: Environment,
  root: string,
  memoryLimitBytes = process.constrainedMemory(),
): Promise<ConfigWarning[]> {
  const misspelt = nearMisses(Object.keys(env), allVariableNames).map(({ name, nearest }) => ({
    text: `the variable ${name} has no effect: ${nearest} is nearly the same`,
    fields: {},
  }))
  return [...misspelt, ...memoryWarnings(config, memoryLimitBytes), ...(await permissiveSettings(config, env, root))]
}

async function permissiveSettings(config: Config, env: Environment, root: string): Promise<ConfigWarning[]> {
  if (env.NODE_ENV !== 'production') {
    if (isLoopback(config.host)) return []
    const lax = `sign-ups and changes are hardly limited, ${config.cookieSecure ? '' : 'cookies travel unencrypted, '}and usernames of deleted accounts are free at once`
    const text = `a server in development listens beyond this machine: ${lax}. Set NODE_ENV=production, or HOST=127.0.0.1`
    return [{ text, fields: { host: config.host } }]
  }
  const warnings: ConfigWarning[] = []
  const { database } = config
  if (database.kind === 'embedded' && (await isOpenToOthers(database.dataDir)))
    warnings.push({
      text: 'other users of this machine have access to DATA_DIR: give it mode 0700',
      fields: { path: database.dataDir },
    })
  for (const variable of allVariableNames.filter((name) => name.endsWith('_FILE'))) {
    const path = env[variable] && resolve(root, env[variable])
    if (path && (await isOpenToOthers(path)))
      warnings.push({
        text: 'other users of this machine have access to a secret file: give it mode 0600',
        fields: { variable },
      })
  }
  if (config.services.includes('accounts') && config.secrets.totpKeys.length === 0)
    warnings.push({ text: 'no account can enrol an authenticator app: set TOTP_KEYS', fields: {} })
  const hosts = database.kind === 'external' ? plainRemoteHosts(database.uri) : []
  if (hosts.length > 0)
    warnings.push({
      text: 'the connection to MongoDB on another machine is not encrypted: set tls=true in MONGODB_URI',
      fields: { hosts: hosts.join(',') },
    })
  const origins = config.publicOrigins ?? defaultOrigins(config.host, config.port)
  if (config.services.includes('accounts') && relyingPartyOf(origins) === undefined)
    warnings.push({
      text: 'passkeys are off: they need an https origin with a host name in PUBLIC_ORIGIN',
      fields: { origins: origins.join(',') },
    })
  return warnings
}
