import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DeleteSecretCommand } from '@aws-sdk/client-secrets-manager'
import t from 'tap'
import { awsSecretsManager } from '../../../src/secrets/aws-secrets-manager.ts'
import { awsAccount } from './account.ts'
import { isolateAws } from './isolate.ts'
import { canary, configuration, faultOf, outOfReach } from './reading.ts'

await isolateAws(t)
const { env, admin, create } = await awsAccount(t)

t.test('a secret that cannot be used has a sentence that contains none of it', async (t) => {
  const manager = awsSecretsManager(env)
  await create('text', `${canary} is not JSON`)
  await create('list', `["${canary}"]`)
  await create('fields', `{"empty": "", "none": null, "other": "${canary}"}`)
  const { ARN = '' } = await create('deleted', canary)
  await admin.send(new DeleteSecretCommand({ SecretId: 'deleted' }))
  const scheduled = 'is scheduled for deletion: restore it with aws secretsmanager restore-secret.'
  const sentences = {
    missing: 'There is no secret missing in eu-central-1: check its name, AWS_REGION and the account.',
    'arn:aws:secretsmanager:us-east-1:123456789012:secret:missing-AbCdEf':
      'There is no secret missing-AbCdEf in us-east-1: check its name, the region in the ARN and the account.',
    'arn:aws:s3:::bucket':
      'The ARN is not one of a secret: it must be arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME.',
    'text#password': 'The secret text is not a JSON object: write it as one, or remove "#password".',
    'list#0': 'The secret list is not a JSON object: write it as one, or remove "#0".',
    'fields#Other': 'The secret fields has no field Other: check the name after "#".',
    'fields#toString': 'The secret fields has no field toString: check the name after "#".',
    'fields#empty': 'The field empty of the secret fields is empty: write its value.',
    'fields#none': 'The field none of the secret fields is empty: write its value.',
    deleted: `The secret deleted ${scheduled}`,
    [ARN]: `The secret ${ARN.split(':').at(-1)} ${scheduled}`,
  }
  for (const [text, sentence] of Object.entries(sentences))
    t.same(await faultOf(manager, text), configuration(sentence), text)
})

t.test('no region, or one that does not exist, has a sentence that names AWS_REGION', async (t) => {
  const { AWS_REGION: _, ...withoutRegion } = env
  t.same(
    await faultOf(awsSecretsManager(withoutRegion), 'any'),
    configuration('There is no AWS region: set AWS_REGION, or name the secret by its ARN.'),
  )
  for (const region of ['eu-central-1a', 'eu central 1', 'Frankfurt'])
    t.same(
      await faultOf(awsSecretsManager({ ...env, AWS_REGION: region }), 'any'),
      configuration(`AWS_REGION must be a region such as eu-central-1: ${region} is none.`),
    )
  t.same(
    await faultOf(awsSecretsManager({ ...env, AWS_REGION: 'eu-nowhere-1' }), 'any'),
    outOfReach(
      'AWS Secrets Manager in eu-nowhere-1 does not answer as AWS does (status 500): check AWS_REGION and AWS_ENDPOINT_URL_SECRETS_MANAGER.',
    ),
  )
  const { AWS_ENDPOINT_URL_SECRETS_MANAGER: __, ...aws } = env
  // Without an internet connection there is no answer of a DNS server either.
  const unresolved = await faultOf(awsSecretsManager({ ...aws, AWS_REGION: 'eu-nowhere-1' }), 'any')
  t.match(unresolved, {
    fault: 'out-of-reach',
    message: /^AWS Secrets Manager in eu-nowhere-1 (has no address|does not respond) .*: check AWS_REGION and this/,
  })
})

t.test('a server that refuses connections or does not answer is out of reach', async (t) => {
  const refusing = awsSecretsManager({ ...env, AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1' })
  t.same(
    await faultOf(refusing, 'any'),
    outOfReach(
      'AWS Secrets Manager in eu-central-1 does not respond (ECONNREFUSED): check AWS_ENDPOINT_URL_SECRETS_MANAGER and this machine’s network.',
    ),
  )
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close().closeAllConnections())
  const { port } = silent.address() as AddressInfo // TCP always
  const { AWS_ENDPOINT_URL_SECRETS_MANAGER: _, ...aws } = env
  const waiting = awsSecretsManager({ ...aws, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` })
  t.same(
    await faultOf(waiting, 'any'),
    outOfReach(
      'AWS Secrets Manager in eu-central-1 does not respond within 5 s: check AWS_ENDPOINT_URL and this machine’s network.',
    ),
  )
})

t.test('variables that contradict each other are refused without a request', (t) => {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...withoutKeys } = env
  const half = { ...withoutKeys, AWS_SECRET_ACCESS_KEY }
  t.throws(() => awsSecretsManager({ ...withoutKeys, AWS_ACCESS_KEY_ID }), {
    message: 'AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY: set both or neither.',
  })
  t.throws(() => awsSecretsManager(half), {
    message: 'AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID: set both or neither.',
  })
  t.throws(() => awsSecretsManager({ ...env, AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://user:${canary}@127.0.0.1` }), {
    message: 'AWS_ENDPOINT_URL_SECRETS_MANAGER must be an http or https URL without credentials.',
  })
  t.end()
})
