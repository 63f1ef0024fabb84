import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { makeCertificate } from '../clients/certificate.ts'
import { connectVault } from './connect-vault.ts'
import { lookUpSelf, mount, VAULT_TOKEN } from './recorded-replies.ts'
import { type Exchanges, recordedVault } from './recorded-vault.ts'

const normal = {
  'GET auth/token/lookup-self': lookUpSelf,
  'GET sys/internal/ui/mounts/secret/app': mount('secret/', 'kv', '2'),
  'GET secret/data/app': { body: { data: { data: { key: 'from TLS' }, metadata: {} } } },
}

/** Reads a secret in a process that trusts the server's certificate, and prints its text or its fault. */
async function readThroughTls(t: Test, exchanges: Exchanges): Promise<string> {
  const certificate = await makeCertificate(['localhost'])
  const folder = t.testdir({ 'ca.pem': certificate.cert })
  const { port } = await recordedVault(t, exchanges, certificate)
  const script = `import { vaultManager } from ${JSON.stringify(new URL('../../src/secrets/vault.ts', import.meta.url))}
    const env = { VAULT_ADDR: 'https://localhost:${port}', VAULT_TOKEN: '${VAULT_TOKEN}' }
    const manager = vaultManager(env, { root: '/', onLeaseDue() {} })
    const text = await manager.read({ manager: 'vault', path: 'secret/app', field: 'key' }).catch((error) => error.message)
    process.stdout.write(text)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
  })
  return stdout
}

t.test('NODE_EXTRA_CA_CERTS makes a certificate trusted, and the process exits without close', async (t) => {
  t.equal(await readThroughTls(t, normal), 'from TLS')
})

t.test('a redirect from https to http is not followed, so that the token stays inside TLS', async (t) => {
  const target = await recordedVault(t, normal)
  const redirect = { status: 307, headers: { location: `${target.url}/v1/secret/data/app` } }
  t.match(await readThroughTls(t, { ...normal, 'GET secret/data/app': redirect }), /redirects to another address/)
  t.same(target.requests, [])
})

t.test('a Vault that accepts connections and does not respond is given up after 5 s', async (t) => {
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // TCP always
  const url = `http://127.0.0.1:${port}`
  await t.rejects(connectVault(t, url, { VAULT_TOKEN }).read('secret/app#key'), {
    message: `Vault at ${url} does not respond within 5 s: check VAULT_ADDR.`,
    fault: 'out-of-reach',
  })
})
