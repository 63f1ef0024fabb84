import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import type { Environment } from '../../src/environment/environment.ts'
import { startCommand } from '../cli/start-command.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { freshFolder, ServerProcess, startServer } from '../main/server-process.ts'
import { type Canaries, createCanaries } from './fixtures/canaries.ts'
import { plantFaults, plantSecrets } from './fixtures/canary-secrets.ts'
import { fromAws, fromVault } from './fixtures/canary-sources.ts'
import { secretFiles } from './fixtures/secret-files.ts'

type Ended = { code: number | null; out: string; error: string }

/** A database, and the variables of a server that starts with it; its secrets are planted. */
async function setUp(t: Test) {
  const { connection } = await freshDatabase(t)
  const canaries = createCanaries()
  const { uri: MONGODB_URI, username, password } = connection
  const env = { MONGODB_URI, DB_USER: username, BCRYPT_COST: '4', LOG_LEVEL: 'trace' }
  const secrets = {
    DB_PASSWORD: canaries.plant('DB_PASSWORD', password),
    JWT_SIGN_KEY: canaries.plant('JWT_SIGN_KEY'),
    PASSWORD_PEPPER: `a:${canaries.plant('PASSWORD_PEPPER')}`,
    THROTTLE_KEY: canaries.plant('THROTTLE_KEY'),
  }
  return { canaries, env, secrets, username, host: new URL(MONGODB_URI).host }
}

/** Expects output without a secret. */
function expectHidden(t: Test, { find }: Canaries, ended: Ended, code: number, title: string): void {
  t.equal(ended.code, code, `${title}: ${ended.error.slice(0, 300)}`)
  t.same(find(`${ended.out}\n${ended.error}`), [], `no secret for ${title}`)
}

t.test('a start that a faulty secret stops does not print the secret', { timeout: 200_000 }, async (t) => {
  const { canaries, env, secrets, host } = await setUp(t)
  const { plant } = canaries
  const faults = plantFaults(canaries)
  const files = secretFiles(await freshFolder(t))
  const users = { DB_USER: '', DB_PASSWORD: '' }
  const text = encodeURIComponent(plant('a URI'))
  const vault = { JWT_SIGN_KEY: '', JWT_SIGN_KEY_FROM: 'vault:a/b#c', VAULT_ADDR: 'http://127.0.0.1:1' }
  const aws = { JWT_SIGN_KEY: '', JWT_SIGN_KEY_FROM: 'aws-sm:a', AWS_REGION: 'eu-central-1' }
  const starts: Record<string, Environment> = {
    'faulty credentials': { ...users, DB_CREDENTIALS: faults.DB_CREDENTIALS },
    'no user': { ...users, DB_CREDENTIALS: JSON.stringify({ username: '', password: plant('password of no user') }) },
    'a faulty ring': { JWT_SIGN_KEY: '', JWT_SIGN_KEYS: faults.JWT_SIGN_KEYS },
    'a short key': { JWT_SIGN_KEY: plant('a short key').slice(0, 31) },
    'a reference': { JWT_SIGN_KEY: `vault:${plant('a reference')}` },
    'a faulty pepper': { PASSWORD_PEPPER: faults.PASSWORD_PEPPER },
    'a short throttle key': { THROTTLE_KEY: faults.THROTTLE_KEY },
    'a faulty mail server': { SMTP_URL: faults.SMTP_URL },
    'a wrong password': { DB_PASSWORD: plant('a wrong password') },
    'a wrong password of a cluster': { DB_PASSWORD: plant('a wrong password of a cluster'), WEB_CONCURRENCY: '2' },
    'two sources': { JWT_SIGN_KEY_FILE: await files.write('two', plant('a second source')) },
    'a key that signs, in posts': { SERVICES: 'posts' },
    'credentials in a URI': { MONGODB_URI: `mongodb://rookery:${text}@${host}/rookery` },
    'a password in an option': { MONGODB_URI: `mongodb://${host}/?tlsCertificateKeyFilePassword=${text}&nonsense=1` },
    'credentials in Vault’s address': { ...vault, VAULT_ADDR: `http://me:${text}@127.0.0.1:1` },
    'a token with a line break': { ...vault, VAULT_TOKEN: `${plant('a token with a line break')}\n` },
    'half of an access key': { ...aws, AWS_SECRET_ACCESS_KEY: plant('half of an access key') },
  }
  for (const [title, start] of Object.entries(starts))
    expectHidden(t, canaries, await new ServerProcess(t, { ...env, ...secrets, ...start }).ended, 78, title)
  // MongoDB's driver refuses to hash it, which is no fault that we have a sentence for.
  const DB_PASSWORD = `${plant('a password with a control character')}\u0007`
  const ended = await new ServerProcess(t, { ...env, ...secrets, DB_PASSWORD }).ended
  expectHidden(t, canaries, ended, 70, 'a control character')
})

t.test('a start that a secret manager refuses prints neither its credentials nor a secret', async (t) => {
  const { canaries, env, secrets } = await setUp(t)
  const first = plantSecrets(canaries, 'first')
  const approle = await fromVault('approle')(t, first, canaries)
  const token = await fromVault('token')(t, first, canaries)
  const aws = await fromAws(t, first, canaries)
  const managed = { ...env, DB_USER: '', MAIL_FROM: 'no-reply@rookery.example' }
  const run = async (more: Environment, title: string, code: number) =>
    expectHidden(t, canaries, await new ServerProcess(t, { ...managed, ...more }).ended, code, title)
  await run({ ...approle.env, VAULT_SECRET_ID: canaries.plant('a wrong secret ID') }, 'a wrong secret ID', 78)
  await run({ ...token.env, VAULT_TOKEN: canaries.plant('a wrong token') }, 'a wrong token', 78)
  // MongoDB does not have the user that the managers name.
  for (const source of [approle, token, aws]) await run(source.env, 'a wrong database user', 78)
  for (const source of [approle, token, aws]) {
    await source.write(plantFaults(canaries))
    await run(source.env, 'faulty secrets', 78)
    await source.remove()
    await run(source.env, 'a source that is gone', 69)
  }
  t.ok(canaries.find(secrets.JWT_SIGN_KEY).length > 0, 'the search finds a secret')
})

t.test('no operator’s command prints a secret, except those that print a new one', { timeout: 200_000 }, async (t) => {
  const { canaries, env, secrets, username } = await setUp(t)
  const controls = createCanaries()
  controls.plant('the user', username)
  const { plant } = canaries
  const server = await startServer(t, { ...env, ...secrets })
  const account = await signUp(server.url)
  const { texts } = plantSecrets(canaries, 'ring')
  const faults = plantFaults(canaries)
  const files = secretFiles(await freshFolder(t))
  const ring = await files.write('ring', texts.JWT_SIGN_KEYS)
  const faulty = await files.write('faulty', faults.JWT_SIGN_KEYS ?? '')
  const wrong = { ...env, ...secrets, DB_PASSWORD: plant('a wrong password') }
  async function run(program: string, args: string[], more: Environment, code: number, input = ''): Promise<Ended> {
    const ended = await startCommand(t, `cli/${program}.ts`, more, args, undefined, input).ended
    expectHidden(t, canaries, ended, code, `${program} ${args[0] ?? ''}`)
    return ended
  }
  t.match(await run('keys', ['list', ring], {}, 0), { out: /private-ring +EdDSA/ })
  await run('keys', ['list'], {}, 0, texts.JWT_SIGN_KEYS)
  await run('keys', ['rotate', ring], {}, 0)
  await run('keys', ['retire', ring], {}, 0)
  for (const args of [['list', faulty], ['rotate', faulty], ['public', faulty], ['list']])
    await run('keys', args, {}, 78, faults.JWT_SIGN_KEYS)
  t.match(controls.find((await run('reconcile', [], wrong, 78)).error), [/./], 'the search finds the user in an error')
  await run('reconcile', [], { ...env, ...secrets }, 0)
  await run('accounts', ['reset-password', account.username], { ...env, ...secrets }, 0)
  await run('accounts', ['reset-password', 'none_such'], { ...env, ...secrets }, 1)
  await run('accounts', ['reset-password', account.username], wrong, 78)
  const admin = JSON.stringify({ username, password: plant('an administrator’s wrong password') })
  await run('roles', [], { MONGODB_URI: env.MONGODB_URI, ADMIN_DB_CREDENTIALS: admin }, 78)
  await run('roles', [], { MONGODB_URI: env.MONGODB_URI, ADMIN_DB_CREDENTIALS: faults.DB_CREDENTIALS }, 78)
  await run('roles', ['--print'], { MONGODB_URI: env.MONGODB_URI, ADMIN_DB_CREDENTIALS: admin }, 0)
  t.match(canaries.find(await readFile(ring, 'utf8')), [/./], 'the search finds the ring in its file')
})
