import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { MongodbUri } from './database/uri-variable.ts'
import type { Environment } from './environment/environment.ts'
import { unknownNameFaults } from './environment/unknown-names.ts'
import { boolean, integer, list } from './environment/variable.ts'
import { cookieFaults, isLoopback } from './http/public-origins.ts'
import { limitVariables, readLimits } from './limits/config.ts'
import { defaultSender, parseSender } from './mail/config.ts'
import { readGeneratedSecrets } from './secrets/generated.ts'
import { managerVariableNames } from './secrets/managers.ts'
import { secretNames } from './secrets/names.ts'
import { type SecretReader, secretReader } from './secrets/reader.ts'
import { parseSecrets } from './secrets/secrets.ts'
import { findSourceFaults, hasSource } from './secrets/source-faults.ts'
import { vaultSecretNames } from './secrets/vault/settings.ts'
import { serviceNames } from './services.ts'
import { StartError } from './start-error.ts'
import { readTracing, tracingVariables } from './telemetry/config.ts'

const isOrigin = (text: string) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) && url.origin === text
}

const isAddressRange = (text: string) => {
  const [address = '', prefix, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || address.includes('%') || rest.length > 0) return false
  // A /0 would trust X-Forwarded-For from every client.
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
}

/** Plain http would show an observer which range is asked, so only loopback may use it. */
const isBreachUrl = (text: string) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.username || url.password || /[?#@]|\/$/.test(text)) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}

const isService = (name: string) => serviceNames.some((service) => service === name)

const mailFromForm = 'must be an address, or a name and an address such as Rookery <no-reply@rookery.example>'

const variables = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test'], 'must be development, test or production').optional(),
  HOST: z.string().optional(),
  PORT: integer(0, 65_535).optional(),
  MONGODB_URI: MongodbUri.optional(),
  DB_USER: z.string().optional(),
  DATA_DIR: z.string().optional(),
  MONGOD_BINARY: z.string().optional(),
  DOCS: boolean.optional(),
  PAGE: boolean.optional(),
  COOKIE_SECURE: boolean.optional(),
  ALLOW_INSECURE_COOKIES: boolean.optional(),
  PUBLIC_ORIGIN: z
    .string()
    .transform(list)
    .refine((origins) => origins.length > 0 && origins.every(isOrigin), {
      error: 'must be origins such as https://rookery.example, comma-separated, without a path or a trailing slash',
    })
    .optional(),
  TRUSTED_PROXIES: z
    .string()
    .transform(list)
    .refine((ranges) => ranges.every(isAddressRange), {
      error:
        'must be addresses or CIDRs such as 10.0.0.0/8, comma-separated: a hop count or /0 would trust forged addresses',
    })
    .optional(),
  START_PATIENCE_SECONDS: integer(0, 3_600).optional(),
  DRAIN_SECONDS: integer(0, 3_600).optional(),
  GRACE_SECONDS: integer(0, 3_600).optional(),
  SERVICES: z
    .string()
    .transform(list)
    .refine((names) => names.length > 0 && names.every(isService), 'must be accounts, posts or accounts,posts')
    .transform((names) => serviceNames.filter((name) => names.includes(name)))
    .optional(),
  WEB_CONCURRENCY: integer(1, 64).optional(),
  METRICS_HOST: z.string().optional(),
  METRICS_PORT: integer(0, 65_535).optional(),
  BCRYPT_COST: integer(4, 16).optional(),
  PASSWORD_MIN_LENGTH: integer(8, 64).optional(),
  RESERVED_USERNAMES: z
    .string()
    .transform(list)
    .refine((names) => names.every((name) => /^\w{1,30}$/.test(name)), {
      error: 'must be usernames of A–Z, a–z, 0–9 and _, comma-separated',
    })
    .optional(),
  PASSWORD_BREACH_URL: z
    .string()
    .refine(isBreachUrl, 'must be the https URL of the ranges, without credentials, a query or a slash at the end')
    .optional(),
  USERNAME_HOLD_DAYS: integer(0, 3_650).optional(),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be fatal, error, warn, info, debug, trace or silent',
    })
    .optional(),
  SECURITY_LOG: z.enum(['stdout', 'off'], 'must be stdout or off').optional(),
  SECRETS_REFRESH_SECONDS: integer(0, 86_400).optional(),
  MAIL_FROM: z
    .string()
    .transform((text, { issues }) => {
      const sender = parseSender(text)
      if (!sender) issues.push({ code: 'custom', message: mailFromForm, input: text })
      return sender ?? defaultSender
    })
    .optional(),
  ...tracingVariables,
  ...limitVariables,
})

/** Every variable, secrets included; a test compares `env.sample` with this list. */
export const variableNames: readonly string[] = [
  ...Object.keys(variables.shape),
  ...secretNames,
  ...managerVariableNames,
]

/** Every variable, and those that say where a secret comes from. */
export const allVariableNames: readonly string[] = [
  ...variableNames,
  ...secretNames.flatMap((name) => [`${name}_FILE`, `${name}_FROM`]),
  ...vaultSecretNames.map((name) => `${name}_FILE`),
]

function deepFreeze<Value extends object>(value: Value): Readonly<Value> {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part)
  return Object.freeze(value)
}

type Options = {
  /** Whether to generate the secrets of the embedded mode that do not exist. */
  createSecrets?: boolean
  /** The names in `.env`, where an unknown one is a fault. */
  dotEnvNames?: readonly string[]
}

/**
 * The reader of its secrets stays open, so that they can be read again.
 * @throws StartError with one line for each fault, naming the variable and never a secret's value
 */
export async function loadConfig(env: Environment, root: string, options: Options = {}) {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const reader = secretReader(given, root)
  try {
    const { texts, ...config } = await readAll(given, root, reader, options)
    return { config: deepFreeze(config), texts, reader }
  } catch (error) {
    reader.close()
    throw error
  }
}

/** For a program that reads its secrets once. */
export async function readConfig(env: Environment, root: string = process.cwd(), options: Options = {}) {
  const { config, reader } = await loadConfig(env, root, options)
  reader.close()
  return config
}

async function readAll(given: Environment, root: string, reader: SecretReader, options: Options) {
  const { createSecrets = true, dotEnvNames = [] } = options
  const faults: string[] = []
  const parsed = variables.safeParse(given)
  for (const issue of parsed.error?.issues ?? []) faults.push(`${issue.path.join('.')} ${issue.message}`)
  const isLimit = (name: string) => name.startsWith('LIMIT_')
  for (const name of Object.keys(given)) {
    if (isLimit(name) && !variableNames.includes(name)) faults.push(`${name} is not a known limit: see env.sample`)
  }
  faults.push(
    ...unknownNameFaults(
      dotEnvNames.filter((name) => !isLimit(name)),
      allVariableNames,
    ),
  )

  // Faulty variables are read as absent, so that one message reports all faults.
  const faultyNames = new Set(parsed.error?.issues.map(({ path }) => path[0]))
  const valid = Object.fromEntries(Object.entries(given).filter(([name]) => !faultyNames.has(name)))
  const settings = parsed.data ?? variables.parse(valid)
  const production = given.NODE_ENV === 'production'
  const host = settings.HOST ?? '127.0.0.1'
  const cookieSecure = settings.COOKIE_SECURE ?? production
  const bcryptCost = settings.BCRYPT_COST ?? 12
  const rules = { dbUser: settings.DB_USER ?? 'rookery', services: settings.SERVICES ?? [...serviceNames] }

  const read = await reader.read(reader.names)
  faults.push(...reader.faults, ...findSourceFaults(given, reader, production, rules))
  parseSecrets(read.texts, rules, faults)
  const outOfReach = read.faults.filter(({ error }) => error.fault === 'out-of-reach')
  faults.push(...read.faults.filter((fault) => !outOfReach.includes(fault)).map(({ error }) => error.message))
  if (production && cookieSecure && given.PUBLIC_ORIGIN === undefined) {
    faults.push(
      'PUBLIC_ORIGIN is required in production with COOKIE_SECURE: set the origins that browsers use, such as https://rookery.example',
    )
  }
  if (production) {
    const origins = settings.PUBLIC_ORIGIN ?? []
    faults.push(...cookieFaults(cookieSecure, origins, settings.ALLOW_INSECURE_COOKIES ?? false))
  }
  // In a container, the default would be lost with it.
  if (production && given.MONGODB_URI === undefined && given.DATA_DIR === undefined)
    faults.push(
      'MONGODB_URI or DATA_DIR is required in production: DATA_DIR is where the embedded MongoDB keeps its data',
    )
  const hasMailServer = hasSource(reader, 'SMTP_URL')
  if (hasMailServer && given.MAIL_FROM === undefined)
    faults.push('MAIL_FROM is required with SMTP_URL: set the sender, such as Rookery <no-reply@rookery.example>')
  if (production && bcryptCost < 10) faults.push('BCRYPT_COST must be at least 10 in production')
  const unread = outOfReach.map(({ error }) => error.message)
  if (faults.length > 0)
    throw new StartError(
      ['The configuration is invalid:', ...[...faults, ...unread].map((fault) => `  ${fault}`)].join('\n'),
    )
  if (unread.length > 0) throw new StartError(unread.join('\n'), 'out-of-reach')

  const dataDir = resolve(root, settings.DATA_DIR ?? '.data')
  const generating = { create: createSecrets, isEmbedded: settings.MONGODB_URI === undefined }
  const texts = { ...(await readGeneratedSecrets(reader, dataDir, generating)), ...read.texts }
  return {
    texts,
    secrets: parseSecrets(texts, rules, []),
    host,
    port: settings.PORT ?? 5000,
    processes: settings.WEB_CONCURRENCY ?? 1,
    /** Undefined: those of `defaultOrigins` in http/public-origins.ts. */
    publicOrigins: settings.PUBLIC_ORIGIN,
    database: settings.MONGODB_URI
      ? { kind: 'external' as const, uri: settings.MONGODB_URI }
      : { kind: 'embedded' as const, dataDir, mongodBinary: settings.MONGOD_BINARY },
    startPatienceSeconds: settings.START_PATIENCE_SECONDS ?? 60,
    drainSeconds: settings.DRAIN_SECONDS ?? (production ? 5 : 0),
    graceSeconds: settings.GRACE_SECONDS ?? 25,
    docs: settings.DOCS ?? true,
    page: settings.PAGE ?? true,
    cookieSecure,
    trustedProxies: settings.TRUSTED_PROXIES ?? [],
    metrics: { host: settings.METRICS_HOST ?? '127.0.0.1', port: settings.METRICS_PORT ?? 9464 },
    bcryptCost,
    ...rules,
    mail: {
      kind: hasMailServer ? ('smtp' as const) : production ? ('none' as const) : ('folder' as const),
      from: settings.MAIL_FROM ?? defaultSender,
      folder: join(dataDir, 'mail'),
    },
    secretsRefreshSeconds: settings.SECRETS_REFRESH_SECONDS ?? 300,
    passwordMinLength: settings.PASSWORD_MIN_LENGTH ?? 15,
    passwordBreachUrl: settings.PASSWORD_BREACH_URL,
    reservedUsernames: settings.RESERVED_USERNAMES ?? [],
    usernameHoldDays: settings.USERNAME_HOLD_DAYS ?? (production ? 30 : 0),
    log: { level: settings.LOG_LEVEL ?? 'info', readable: !production, security: settings.SECURITY_LOG !== 'off' },
    tracing: readTracing(settings),
    limits: readLimits(settings, production),
  }
}

export type Config = Awaited<ReturnType<typeof readConfig>>

/** The configuration of one process. Without `metrics`, the process sends its metrics to the primary. */
export type AppConfig = Omit<Config, 'metrics'> & { metrics: Config['metrics'] | undefined }
