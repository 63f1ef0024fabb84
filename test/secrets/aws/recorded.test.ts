import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { awsSecretsManager } from '../../../src/secrets/aws-secrets-manager.ts'
import { isolateAws, setVariables } from './isolate.ts'
import { canary, configuration, faultOf, keys, outOfReach, read } from './reading.ts'

// The responses have the form and the texts of AWS, which moto cannot produce:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html

await isolateAws(t)

/** A server that answers each request with the same response, and records what each asked for. */
async function answering(t: Test, status: number, body: string) {
  const requests: { target: unknown; body: unknown }[] = []
  const server = createServer(async (request, response) => {
    requests.push({ target: request.headers['x-amz-target'], body: await text(request) })
    response.writeHead(status, { 'content-type': body.startsWith('<') ? 'text/xml' : 'application/x-amz-json-1.1' })
    response.end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo // TCP always
  const url = `http://127.0.0.1:${port}`
  const env = { ...keys, AWS_REGION: 'eu-central-1', AWS_ENDPOINT_URL_SECRETS_MANAGER: url }
  return { url, env, manager: awsSecretsManager(env), requests }
}

const refused = (type: string, message: string) => JSON.stringify({ __type: type, Message: message })

t.test('recorded from AWS’s documentation: a refused read has one sentence without the response’s text', async (t) => {
  const user = 'arn:aws:sts::123456789012:assumed-role/kms/i-0'
  const notAuthorized = `User: ${user} is not authorized to perform: secretsmanager:GetSecretValue on resource: my-kms-key ${canary}`
  const responses: [string, string, { fault: string; message: string }][] = [
    [
      'AccessDeniedException',
      notAuthorized,
      configuration('AWS denies reading the secret app/x in eu-central-1: allow secretsmanager:GetSecretValue on it.'),
    ],
    [
      'AccessDeniedException',
      'Access to KMS is not allowed',
      configuration(
        'AWS cannot decrypt the secret app/x: allow kms:Decrypt on its key, and check that the key is enabled.',
      ),
    ],
    [
      'DecryptionFailure',
      'Secrets Manager can’t decrypt the protected secret text using the provided KMS key.',
      configuration(
        'AWS cannot decrypt the secret app/x: allow kms:Decrypt on its key, and check that the key is enabled.',
      ),
    ],
    [
      'ExpiredTokenException',
      'The security token included in the request is expired',
      configuration('Our AWS credentials have expired: obtain new ones.'),
    ],
    [
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
      configuration('AWS does not accept our credentials: check the access key, its secret and its session token.'),
    ],
    [
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided.',
      configuration('AWS does not accept our credentials: check the access key, its secret and its session token.'),
    ],
    [
      'InvalidSignatureException',
      'Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z',
      configuration('AWS refuses the time of our request: set this machine’s clock.'),
    ],
    [
      'ResourceNotFoundException',
      'Secrets Manager can’t find the specified secret value for staging label: AWSCURRENT',
      configuration('The secret app/x is empty: put a value into it.'),
    ],
    [
      'InvalidRequestException',
      `Something else ${canary}`,
      configuration('AWS refuses to read the secret app/x (InvalidRequestException): check it in the AWS console.'),
    ],
    [
      `Unforeseen ${canary}`,
      canary,
      configuration('AWS refuses to read the secret app/x (Error): check it in the AWS console.'),
    ],
  ]
  for (const [type, message, expected] of responses) {
    const { manager } = await answering(t, 400, refused(type, message))
    t.same(await faultOf(manager, 'app/x#password'), expected, `${type}: ${message}`)
  }
})

t.test('recorded from AWS’s documentation: after 2 attempts, a throttled or failed read is out of reach', async (t) => {
  const throttled = await answering(t, 400, refused('ThrottlingException', 'Rate exceeded'))
  t.same(
    await faultOf(throttled.manager, 'x'),
    outOfReach('AWS Secrets Manager in eu-central-1 limits our requests: read fewer secrets less often.'),
  )
  t.equal(throttled.requests.length, 2)
  const failing = await answering(t, 500, refused('InternalServiceError', 'An error occurred on the server side.'))
  t.same(
    await faultOf(failing.manager, 'x'),
    outOfReach('AWS Secrets Manager in eu-central-1 fails with status 500: see the AWS Health Dashboard.'),
  )
  t.equal(failing.requests.length, 2)
})

t.test('recorded from AWS’s documentation: a role that STS denies has a sentence', async (t) => {
  const { url, env } = await answering(
    t,
    403,
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity ${canary}</Message></Error></ErrorResponse>`,
  )
  const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...chain } = env
  setVariables(t, {
    AWS_ENDPOINT_URL_STS: url,
    AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/rookery',
    AWS_WEB_IDENTITY_TOKEN_FILE: import.meta.filename,
  })
  t.same(
    await faultOf(awsSecretsManager(chain), 'x'),
    configuration(
      'AWS denies us the role of AWS_ROLE_ARN or the default profile: allow sts:AssumeRole, and check that its trust policy names us.',
    ),
  )
})

t.test('concurrent reads of one secret share a request for its current version', async (t) => {
  const { manager, requests } = await answering(
    t,
    200,
    '{"Name":"x","SecretString":"{\\"a\\":\\"1\\",\\"b\\":\\"2\\"}"}',
  )
  const texts = await Promise.all(['x#a', 'x#b', 'x', 'x#a'].map((each) => read(manager, each)))
  t.same(texts, ['1', '2', '{"a":"1","b":"2"}', '1'])
  t.same(requests, [{ target: 'secretsmanager.GetSecretValue', body: '{"SecretId":"x","VersionStage":"AWSCURRENT"}' }])
  const reference = { manager: 'aws-sm', path: 'x', field: 'a' } as const
  await Promise.all([manager.read(reference), manager.read(reference, { fresh: true })])
  t.equal(requests.length, 3, 'a fresh one does not join an earlier request')
})

t.test('an empty secret has a sentence', async (t) => {
  const { manager } = await answering(t, 200, '{"Name":"x","SecretString":""}')
  t.same(await faultOf(manager, 'x'), configuration('The secret x is empty: put a value into it.'))
})
