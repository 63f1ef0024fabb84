import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readFileOrEmpty, replaceFile } from '../src/cli/replace-file.ts'
import { databaseOf } from '../src/database/connection.ts'
import { ensureRoleUser } from '../src/database/users.ts'
import type { EmbeddedMongod } from '../src/embedded-mongod/start.ts'
import { defaultOrigins } from '../src/http/public-origins.ts'
import { generateKey, serializeKeyRing, toPublicRing } from '../src/secrets/change-key-ring.ts'
import { type SecretName, type SecretTexts, secretNames } from '../src/secrets/names.ts'
import { parseKeyRing } from '../src/secrets/parse-key-ring.ts'
import { createServiceRoles, roleNameOf } from '../src/service-roles.ts'
import type { ServiceName } from '../src/services.ts'
import { StartError } from '../src/start-error.ts'

type Options = {
  dataDir: string
  /** Where the gateway listens. */
  host: string
  port: number
  /** Undefined: those of the gateway. */
  publicOrigins: readonly string[] | undefined
  /** The texts of the configured secrets. */
  texts: SecretTexts
}

/** An empty variable hides the one of .env. */
const hidden = Object.fromEntries(
  ['DB_USER', ...secretNames.flatMap((name) => [name, `${name}_FILE`, `${name}_FROM`])].map((name) => [name, '']),
)

const directoryIn = (dataDir: string) => join(dataDir, 'services')

const ringFilesIn = (dir: string) => ({
  ringFile: join(dir, 'sign-keys.json'),
  publicRingFile: join(dir, 'public-keys.json'),
})

/**
 * Writes the public keys of the ring to the file that posts reads. Again after each change of the ring, or posts would
 * accept no token of the new key.
 * @throws StartError if the ring has a fault
 */
export async function writePublicRing(dataDir: string): Promise<void> {
  const { ringFile, publicRingFile } = ringFilesIn(directoryIn(dataDir))
  const faults: string[] = []
  const ring = parseKeyRing(await readFileOrEmpty(ringFile), faults, ringFile)
  if (!ring) throw new StartError(faults.join('\n'))
  await replaceFile(publicRingFile, () => serializeKeyRing(toPublicRing(ring)))
}

/**
 * Creates a database user for each service, and the key ring of both, in files of DATA_DIR: no secret is in an
 * environment. @returns the variables of each service
 */
export async function prepareServices(
  mongod: EmbeddedMongod,
  { dataDir, host, port, publicOrigins = defaultOrigins(host, port), texts }: Options,
): Promise<Record<ServiceName, NodeJS.ProcessEnv>> {
  const databaseName = databaseOf(mongod.uri)
  await mongod.administer((admin) => createServiceRoles(admin, databaseName))
  const dir = directoryIn(dataDir)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const { ringFile, publicRingFile } = ringFilesIn(dir)
  await replaceFile(ringFile, (text) => text || serializeKeyRing([generateKey('EdDSA', new Date())]))
  await writePublicRing(dataDir)

  async function fileOf(name: SecretName): Promise<NodeJS.ProcessEnv> {
    const text = texts[name]
    if (text === undefined) return {}
    const file = join(dir, name.toLowerCase())
    await replaceFile(file, () => text)
    return { [`${name}_FILE`]: file }
  }

  async function settingsOf(service: ServiceName, ringFile: string): Promise<NodeJS.ProcessEnv> {
    const user = { username: `rookery-${service}`, password: randomBytes(24).toString('base64url') }
    await mongod.administer((admin) => ensureRoleUser(admin, user, { role: roleNameOf(service), db: databaseName }))
    const credentials = join(dir, `${service}-database.json`)
    await replaceFile(credentials, () => JSON.stringify(user))
    return {
      ...hidden,
      MONGODB_URI: mongod.uri,
      DB_CREDENTIALS_FILE: credentials,
      JWT_SIGN_KEYS_FILE: ringFile,
      PUBLIC_ORIGIN: publicOrigins.join(),
      TRUSTED_PROXIES: '127.0.0.1',
    }
  }

  return {
    accounts: {
      ...(await settingsOf('accounts', ringFile)),
      ...(await fileOf('PASSWORD_PEPPER')),
      ...(await fileOf('THROTTLE_KEY')),
      ...(await fileOf('TOTP_KEYS')),
      ...(await fileOf('SMTP_URL')),
    },
    posts: await settingsOf('posts', publicRingFile),
  }
}
