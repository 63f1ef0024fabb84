import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Environment } from '../../src/environment/environment.ts'
import { freePort } from '../../src/processes/free-port.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { awsAccount } from '../secrets/aws/account.ts'
import { startVault } from '../vault-peer/vault.ts'
import { freshFolder, ServerProcess, startServer } from './server-process.ts'

const key = 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K'

/** A database, and the variables of a server that has everything but its secrets. */
async function databaseOf(t: Test) {
  const { connection } = await freshDatabase(t)
  const env = { BCRYPT_COST: '4', MONGODB_URI: connection.uri, DB_USER: connection.username }
  return { env, password: connection.password, username: connection.username }
}

async function expectServes(t: Test, env: Environment): Promise<void> {
  const server = await startServer(t, env)
  const { client } = await signUp(server.url)
  t.equal((await client.get('v1/session')).statusCode, 200)
  t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
}

/** Expects a start to fail with one sentence that contains no secret. */
async function expectFails(t: Test, env: Environment, code: 69 | 78, sentence: string): Promise<void> {
  const ended = await new ServerProcess(t, env).ended
  t.match(ended, { code, out: '' }, sentence)
  t.equal(ended.error, `${code === 78 ? 'The configuration is invalid:\n  ' : ''}JWT_SIGN_KEY_FROM: ${sentence}\n`)
}

t.test('npm start serves with secrets from values and from files', async (t) => {
  const { env, password, username } = await databaseOf(t)
  await expectServes(t, { ...env, DB_PASSWORD: password, JWT_SIGN_KEY: key })
  const folder = await freshFolder(t)
  await writeFile(join(folder, 'user'), JSON.stringify({ username, password }))
  await writeFile(join(folder, 'keys'), JSON.stringify([{ kid: 'a', signFrom: '2026-01-01T00:00:00Z', key }]))
  const files = { DB_CREDENTIALS_FILE: join(folder, 'user'), JWT_SIGN_KEYS_FILE: join(folder, 'keys') }
  await expectServes(t, { ...env, DB_USER: '', ...files })
})

t.test('npm start serves with secrets from Vault, and each fault there has a sentence and an exit code', async (t) => {
  const { env, password, username } = await databaseOf(t)
  const vault = await startVault(t)
  await vault.mountKeyValue('secret', '2')
  const write = (path: string, data: object) => vault.api('POST', `secret/data/${path}`, { data })
  await write('rookery/user', { username, password })
  await write('rookery/app', { key, pepper: 'a:hunter2-hunter2', blank: '' })
  await write('other', { key })
  await vault.allowReading('rookery', 'secret/data/rookery/*')
  const { roleId, secretId } = await vault.createAppRole('rookery', { token_policies: ['rookery'], token_ttl: '60s' })
  const login = { VAULT_ADDR: vault.url, VAULT_ROLE_ID: roleId, VAULT_SECRET_ID: secretId }
  const references = {
    DB_CREDENTIALS_FROM: 'vault:secret/rookery/user',
    JWT_SIGN_KEY_FROM: 'vault:secret/rookery/app#key',
    PASSWORD_PEPPER_FROM: 'vault:secret/rookery/app#pepper',
  }
  await expectServes(t, { ...env, DB_USER: '', ...login, ...references })

  const base = { ...env, DB_PASSWORD: password, ...login }
  const fails = (code: 69 | 78, path: string, sentence: string, more: Environment = {}) =>
    expectFails(t, { ...base, JWT_SIGN_KEY_FROM: `vault:${path}`, ...more }, code, sentence)
  const name = `Vault at ${vault.url}`
  const app = 'secret/rookery/app'
  await fails(78, `${app}#none`, `The secret ${app} in Vault has no field none: check the name after "#".`)
  await fails(78, `${app}#blank`, `The field blank of the secret ${app} in Vault is empty: write its value.`)
  const gone = 'secret/data/rookery/gone: check the path, and whether the secret was deleted.'
  await fails(78, 'secret/rookery/gone#key', `${name} has no secret at ${gone}`)
  const denied = 'secret/data/other: the policy of its token needs the capability "read" there.'
  await fails(78, 'secret/other#key', `${name} denies access to ${denied}`)
  const address = `http://127.0.0.1:${await freePort('127.0.0.1')}`
  await fails(
    69,
    `${app}#key`,
    `Vault at ${address} does not respond (ECONNREFUSED): check VAULT_ADDR and that Vault runs.`,
    {
      VAULT_ADDR: address,
    },
  )
  await vault.seal()
  await fails(69, `${app}#key`, `${name} is sealed: unseal it.`)
})

t.test('npm start serves with secrets from AWS, and each fault there has a sentence and an exit code', async (t) => {
  const { env, password, username } = await databaseOf(t)
  const aws = await awsAccount(t)
  await aws.create('rookery/user', JSON.stringify({ username, password, engine: 'mongo', port: 27_017 }))
  await aws.create('rookery/app', JSON.stringify({ key, pepper: 'a:hunter2-hunter2', blank: '' }))
  const references = {
    DB_CREDENTIALS_FROM: 'aws-sm:rookery/user',
    JWT_SIGN_KEY_FROM: 'aws-sm:rookery/app#key',
    PASSWORD_PEPPER_FROM: 'aws-sm:rookery/app#pepper',
  }
  await expectServes(t, { ...env, DB_USER: '', ...aws.env, ...references })

  const base = { ...env, DB_PASSWORD: password, ...aws.env }
  const fails = (code: 69 | 78, path: string, sentence: string, more: Environment = {}) =>
    expectFails(t, { ...base, JWT_SIGN_KEY_FROM: `aws-sm:${path}`, ...more }, code, sentence)
  await fails(78, 'rookery/app#none', 'The secret rookery/app has no field none: check the name after "#".')
  await fails(78, 'rookery/app#blank', 'The field blank of the secret rookery/app is empty: write its value.')
  await fails(78, 'gone#key', 'There is no secret gone in eu-central-1: check its name, AWS_REGION and the account.')
  await fails(78, 'x', 'AWS_REGION must be a region such as eu-central-1: eu-central-1a is none.', {
    AWS_REGION: 'eu-central-1a',
  })
  const recorded = await refusing(t)
  const AWS_ENDPOINT_URL_SECRETS_MANAGER = recorded.url
  recorded.type = 'AccessDeniedException'
  await fails(78, 'x', 'AWS denies reading the secret x in eu-central-1: allow secretsmanager:GetSecretValue on it.', {
    AWS_ENDPOINT_URL_SECRETS_MANAGER,
  })
  recorded.type = 'ExpiredTokenException'
  await fails(78, 'x', 'Our AWS credentials have expired: obtain new ones.', { AWS_ENDPOINT_URL_SECRETS_MANAGER })
})

t.test('a reference or an ARN in JWT_SIGN_KEY exits with 78', async (t) => {
  const { env, password } = await databaseOf(t)
  for (const JWT_SIGN_KEY of [
    'vault:secret/rookery/app#key-with-32-bytes-and-more',
    'arn:aws:secretsmanager:eu-central-1:123456789012:secret:rookery-AbCdEf',
  ]) {
    const { code, out, error } = await new ServerProcess(t, { ...env, DB_PASSWORD: password, JWT_SIGN_KEY }).ended
    t.match({ code, out }, { code: 78, out: '' })
    t.match(error, /^The configuration is invalid:\n {2}JWT_SIGN_KEY is a reference or a URL, not a secret: [^\n]+\n$/)
  }
})

/** AWS's response to a refused request, as its documentation shows it: moto permits everything. */
async function refusing(t: Test) {
  const recorded = { type: '', url: '' }
  const server = createServer((_request, response) => {
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify({ __type: recorded.type, Message: 'arn:aws:sts::123456789012:assumed-role/r/i-0' }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const address = server.address()
  recorded.url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : ''
  return recorded
}
