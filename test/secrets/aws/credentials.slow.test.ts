import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { awsSecretsManager } from '../../../src/secrets/aws-secrets-manager.ts'
import { awsAccount } from './account.ts'
import { isolateAws, setVariables } from './isolate.ts'
import { canary, configuration, faultOf, outOfReach, read } from './reading.ts'

const home = await isolateAws(t)
const aws = join(home, '.aws')
await mkdir(join(aws, 'sso', 'cache'), { recursive: true })
await writeFile(
  join(aws, 'config'),
  `[profile rookery]
region = eu-central-1
[profile sso]
sso_session = work
sso_account_id = 123456789012
sso_role_name = reader
[sso-session work]
sso_start_url = https://work.awsapps.com/start
sso_region = eu-central-1
`,
)
const { url, env, create } = await awsAccount(t)

t.test('without keys in its environment, a server uses the default credential chain', async (t) => {
  await create('chained', 'read')
  const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...chain } = env
  t.same(
    await faultOf(awsSecretsManager(chain), 'chained'),
    configuration(
      'There are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in AWS_PROFILE, or give this machine or container a role.',
    ),
  )

  await t.test('a profile provides its region, and its keys as soon as it has them', async (t) => {
    const { AWS_REGION: _, ...withoutRegion } = chain
    const manager = awsSecretsManager({ ...withoutRegion, AWS_PROFILE: 'rookery' })
    t.same(
      await faultOf(manager, 'chained'),
      configuration('There are no AWS credentials in the profile rookery: check AWS_PROFILE and its files.'),
    )
    const profile = '[rookery]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = any\n'
    await writeFile(join(aws, 'credentials'), profile)
    t.equal(await read(manager, 'chained'), 'read')
  })

  await t.test(
    'without a login to IAM Identity Center, or after it has expired, a sentence says how to log in',
    async (t) => {
      const manager = awsSecretsManager({ ...chain, AWS_PROFILE: 'sso' })
      const logIn = configuration(
        'Our AWS session has expired: log in again, for example with aws sso login --profile sso.',
      )
      t.same(await faultOf(manager, 'chained'), logIn)
      const file = join(aws, 'sso', 'cache', `${createHash('sha1').update('work').digest('hex')}.json`)
      await writeFile(file, JSON.stringify({ accessToken: canary, expiresAt: '2020-01-01T00:00:00Z' }))
      t.same(await faultOf(manager, 'chained'), logIn)
    },
  )

  await t.test('a web identity, which Kubernetes provides, is exchanged for credentials', async (t) => {
    const file = join(home, 'token')
    setVariables(t, {
      AWS_ENDPOINT_URL_STS: url,
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/rookery',
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
    })
    const manager = awsSecretsManager({ ...chain, AWS_WEB_IDENTITY_TOKEN_FILE: file })
    t.same(
      await faultOf(manager, 'chained'),
      configuration('AWS_WEB_IDENTITY_TOKEN_FILE names a file that cannot be read: check its path and permissions.'),
    )
    await writeFile(file, 'a.web.token')
    t.equal(await read(manager, 'chained'), 'read')
    process.env.AWS_ENDPOINT_URL_STS = 'http://127.0.0.1:1'
    t.match(await faultOf(awsSecretsManager(chain), 'chained'), { fault: 'out-of-reach' })
  })

  await t.test('a container’s token is sent for its credentials, though process.env does not contain it', async (t) => {
    const tokens: unknown[] = []
    const agent = createServer((request, response) => {
      tokens.push(request.headers.authorization)
      const Expiration = new Date(Date.now() + 3_600_000).toISOString()
      response.end(JSON.stringify({ AccessKeyId: 'ASIA', SecretAccessKey: 'any', Token: 'any', Expiration }))
    }).listen(0, '127.0.0.1')
    await once(agent, 'listening')
    const { port } = agent.address() as AddressInfo // TCP always
    const container = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/v1/credentials` }
    setVariables(t, container)
    t.teardown(() => agent.close())
    const given = { ...chain, ...container, AWS_CONTAINER_AUTHORIZATION_TOKEN: canary }
    t.equal(await read(awsSecretsManager(given), 'chained'), 'read')
    t.same(tokens, [canary])
    agent.close().closeAllConnections()
    t.same(
      await faultOf(awsSecretsManager(given), 'chained'),
      outOfReach('The container’s source of AWS credentials does not provide any.'),
    )
  })
})
