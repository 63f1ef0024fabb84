import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { makeCertificate } from '../clients/certificate.ts'
import { connectVault } from './connect-vault.ts'
import { auth, lookUpSelf, mount, VAULT_TOKEN } from './recorded-replies.ts'
import { type Exchanges, type Reply, recordedVault } from './recorded-vault.ts'

const secret = { body: { data: { data: { key: 'hunter2' }, metadata: {} } } }
const normal = {
  'GET auth/token/lookup-self': lookUpSelf,
  'GET sys/internal/ui/mounts/secret/app': mount('secret/', 'kv', '2'),
  'GET secret/data/app': secret,
}
const redirectTo = (location: string): Reply => ({ status: 307, headers: { location } })

async function read(t: Test, exchanges: Exchanges, env = {}) {
  const vault = await recordedVault(t, exchanges)
  return { vault, text: connectVault(t, vault.url, { VAULT_TOKEN, ...env }).read('secret/app#key') }
}

t.test('a Vault that does not respond is named with its address only', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await new Promise((resolve) => server.close(resolve))
  const url = `http://127.0.0.1:${port}`
  await t.rejects(connectVault(t, `${url}/behind/a/proxy`, { VAULT_TOKEN }).read('secret/app#key'), {
    message: `Vault at ${url} does not respond (ECONNREFUSED): check VAULT_ADDR and that Vault runs.`,
    fault: 'out-of-reach',
  })
  await t.rejects(connectVault(t, 'http://vault.invalid', { VAULT_TOKEN }).read('secret/app#key'), {
    message: /^Vault at http:\/\/vault\.invalid does not respond \(\w+\): check VAULT_ADDR and that Vault runs\.$/,
    fault: 'out-of-reach',
  })
})

t.test('a path in VAULT_ADDR comes before the API', async (t) => {
  const vault = await recordedVault(t, {})
  const env = { VAULT_ROLE_ID: 'role', VAULT_SECRET_ID: 'secret' }
  await t.rejects(connectVault(t, `${vault.url}/proxy/`, env).read('secret/app#key'), {
    message: /refuses the AppRole/,
  })
  t.equal(vault.requests[0]?.line, 'POST /proxy/v1/auth/approle/login')
})

t.test('statuses of Vault or of a proxy before it are told apart, and no body is repeated', async (t) => {
  const page = '<html>hunter2</html>'
  const faults: [Reply, RegExp, string][] = [
    [
      { status: 500, body: { errors: ['hunter2'] } },
      /^Vault at \S+ fails with status 500: see its log\.$/,
      'out-of-reach',
    ],
    [{ status: 502, body: page }, /^Vault at \S+ fails with status 502: see its log\.$/, 'out-of-reach'],
    [{ status: 503, body: page }, /^Vault at \S+ fails with status 503: see its log\.$/, 'out-of-reach'],
    [{ status: 429, body: page }, /^Vault at \S+ limits our requests: raise its rate limit quota\.$/, 'out-of-reach'],
    [
      { status: 400, body: page },
      /^Vault at \S+ answers 400 for secret\/data\/app: check the path\.$/,
      'configuration',
    ],
    [{ status: 200, body: page }, /^Vault at \S+ does not answer as Vault does: check VAULT_ADDR\.$/, 'configuration'],
  ]
  for (const [reply, message, fault] of faults) {
    const { text } = await read(t, { ...normal, 'GET secret/data/app': reply })
    await t.rejects(text, { message, fault }, String(reply.status))
  }
})

t.test('a standby node’s redirect to the active node is followed once', async (t) => {
  const active = await recordedVault(t, normal)
  const { vault, text } = await read(
    t,
    { ...normal, 'GET secret/data/app': redirectTo(`${active.url}/v1/secret/data/app`) },
    { VAULT_NAMESPACE: 'ns1' },
  )
  t.equal(await text, 'hunter2')
  t.same(active.requests, [{ line: 'GET secret/data/app', token: VAULT_TOKEN, namespace: 'ns1', body: null }])
  t.equal(vault.count('GET secret/data/app'), 1)
})

t.test('a login that a standby node redirects keeps its body', async (t) => {
  const login = 'POST auth/approle/login'
  const active = await recordedVault(t, { [login]: auth('hvs.a', 60) })
  const standby = await recordedVault(t, { ...normal, [login]: redirectTo(`${active.url}/v1/auth/approle/login`) })
  const env = { VAULT_ROLE_ID: 'role', VAULT_SECRET_ID: 'secret' }
  t.equal(await connectVault(t, standby.url, env).read('secret/app#key'), 'hunter2')
  t.same(active.requests[0]?.body, { role_id: 'role', secret_id: 'secret' })
})

t.test('no redirect but a standby node’s is followed, and none out of TLS', async (t) => {
  const message = /^Vault at \S+ redirects to another address: set VAULT_ADDR to the address of the active node\.$/
  const target = await recordedVault(t, { 'GET secret/data/app': redirectTo('/v1/elsewhere') })
  const replies: Reply[] = [
    { status: 302, headers: { location: `${target.url}/v1/other` } },
    redirectTo('https://127.0.0.1/v1/secret/data/app'),
    redirectTo('file:///etc/passwd'),
    redirectTo('http://'),
    { status: 307 },
  ]
  for (const reply of replies) {
    const { text } = await read(t, { ...normal, 'GET secret/data/app': reply })
    await t.rejects(text, { message, fault: 'configuration' })
  }
  t.same(target.requests, [])
  const { text } = await read(t, { ...normal, 'GET secret/data/app': redirectTo(`${target.url}/v1/secret/data/app`) })
  await t.rejects(text, { message }, 'a second redirect')
  t.equal(target.requests.length, 1)
})

t.test('a certificate that is not trusted is reported with the way to trust it', async (t) => {
  const vault = await recordedVault(t, normal, await makeCertificate(['localhost']))
  const { read } = connectVault(t, vault.url, { VAULT_TOKEN })
  await t.rejects(read('secret/app#key'), {
    message: `The TLS certificate of Vault at ${vault.url} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT): name the file of its certificate authority in NODE_EXTRA_CA_CERTS.`,
    fault: 'configuration',
  })
  t.same(vault.requests, [])
})

t.test('https to a server without TLS is reported', async (t) => {
  const vault = await recordedVault(t, normal)
  const url = vault.url.replace('http:', 'https:')
  await t.rejects(connectVault(t, url, { VAULT_TOKEN }).read('secret/app#key'), {
    message: new RegExp(`^Vault at ${url} does not use TLS \\(\\w+\\): check VAULT_ADDR\\.$`),
    fault: 'configuration',
  })
})
