import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../../src/processes/free-port.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { startServer } from '../main/server-process.ts'
import { startVault } from '../vault-peer/vault.ts'

const sealedMs = 300_000

t.test(
  'Vault sealed for 5 minutes while the server runs: no request fails, the ages rise, and a new value then serves',
  { timeout: 400_000 },
  async (t) => {
    const { connection } = await freshDatabase(t)
    const { username, password } = connection
    const vault = await startVault(t)
    await vault.mountKeyValue('secret', '2')
    const write = (data: object) => vault.api('POST', 'secret/data/rookery', { data })
    const secrets = { username, password, key: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K', pepper: 'a:hunter2-hunter2' }
    await write(secrets)
    await vault.allowReading('rookery', 'secret/data/rookery')
    // Tokens that expire while Vault is sealed.
    const role = { token_policies: ['rookery'], token_ttl: '20s', token_max_ttl: '60s' }
    const { roleId, secretId } = await vault.createAppRole('rookery', role)
    const METRICS_PORT = String(await freePort('127.0.0.1'))
    const server = await startServer(t, {
      MONGODB_URI: connection.uri,
      METRICS_PORT,
      BCRYPT_COST: '4',
      SECRETS_REFRESH_SECONDS: '2',
      VAULT_ADDR: vault.url,
      VAULT_ROLE_ID: roleId,
      VAULT_SECRET_ID: secretId,
      DB_CREDENTIALS_FROM: 'vault:secret/rookery',
      JWT_SIGN_KEY_FROM: 'vault:secret/rookery#key',
      PASSWORD_PEPPER_FROM: 'vault:secret/rookery#pepper',
    })
    async function ages(): Promise<number[]> {
      const text = await (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text()
      return [...text.matchAll(/^rookery_secret_age_seconds\{secret="\w+"\} (\S+)$/gm)].map(([, age]) => Number(age))
    }

    const { client } = await signUp(server.url)
    t.equal((await ages()).length, 3)
    await vault.seal()
    const end = performance.now() + sealedMs
    let requests = 0
    let before = await ages()
    while (performance.now() < end) {
      for (const send of [
        () => client.post('v1/posts', { json: { text: 'Vault is sealed' } }),
        () => client.get('v1/timeline'),
        () => client.post('v1/session/refresh'),
      ]) {
        requests += 1
        const { statusCode } = await send()
        if (statusCode >= 300) t.fail(`answered ${statusCode}`)
      }
      await delay(250)
    }
    const after = await ages()
    t.ok(
      after.every((age) => age > sealedMs / 1_000 - 10),
      `ages ${after} after ${requests} requests`,
    )
    t.ok(after.every((age, n) => age > (before[n] ?? 0)))
    t.equal(server.out.split('secret cannot be read').length - 1, 3, 'one line for each secret')

    await vault.unseal()
    await write({ ...secrets, pepper: `b:another-pepper,${secrets.pepper}` })
    server.child.kill('SIGHUP')
    await server.says(/secret changed/)
    before = after
    t.ok((await ages()).every((age, n) => age < (before[n] ?? 0)))
    t.equal((await signUp(server.url)).client !== undefined, true)
  },
)
