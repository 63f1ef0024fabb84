import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { serializeKeyRing, toPublicRing } from '../../src/secrets/change-key-ring.ts'
import { freshDatabase } from '../helper.ts'
import { freshFolder, startServer } from '../main/server-process.ts'
import { ed25519Key } from '../secrets/rings.ts'
import { passkeyEnv } from './ceremonies.ts'

const loaded = /webauthn is loaded/

t.test(
  'an idle server loads the library of passkeys by itself, unless it has none',
  { timeout: 120_000 },
  async (t) => {
    const { connection } = await freshDatabase(t)
    const ring = [ed25519Key('shared')]
    const dataDir = await freshFolder(t)
    const start = (env: Record<string, string>) =>
      startServer(t, {
        MONGODB_URI: connection.uri,
        DB_USER: connection.username,
        DB_PASSWORD: connection.password,
        DATA_DIR: dataDir,
        JWT_SIGN_KEYS: serializeKeyRing(ring),
        NODE_OPTIONS: `--import=${new URL('fixtures/announce-webauthn.mjs', import.meta.url).href}`,
        ...passkeyEnv,
        ...env,
      })
    const accounts = await start({ SERVICES: 'accounts' })
    t.notMatch(accounts.out, loaded, 'the start does not wait for it')
    await accounts.says(loaded)

    const posts = await start({ SERVICES: 'posts', JWT_SIGN_KEYS: serializeKeyRing(toPublicRing(ring)) })
    const nameless = await start({ SERVICES: 'accounts', PUBLIC_ORIGIN: 'http://127.0.0.1:5000' })
    // Longer than the pause after which the first one has loaded it.
    await delay(15_000)
    for (const server of [posts, nameless]) t.notMatch(server.out, loaded)
  },
)
