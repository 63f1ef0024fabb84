import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { CreateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import t from 'tap'
import { awsSecretsManager } from '../../src/secrets/aws-secrets-manager.ts'
import { awsAccount } from './aws/account.ts'
import { isolateAws } from './aws/isolate.ts'
import { configuration, faultOf, read } from './aws/reading.ts'

const run = promisify(execFile)
await isolateAws(t)
const { env, admin, adminIn, create } = await awsAccount(t)

t.test('a secret is read by its name or ARN, complete or one field of its JSON', async (t) => {
  const json = '{"username": "rookery", "password": "pa#ss:wörd", "port": 27017, "tags": ["a"]}'
  const { ARN = '' } = await create('rookery/database', json)
  const manager = awsSecretsManager(env)
  t.equal(await read(manager, 'rookery/database'), json)
  t.equal(await read(manager, 'rookery/database#password'), 'pa#ss:wörd')
  t.equal(await read(manager, `${ARN}#username`), 'rookery')
  t.equal(await read(manager, 'rookery/database#port'), '27017')
  t.equal(await read(manager, 'rookery/database#tags'), '["a"]')
  await create('rookery/sign-key', 'just a text\n')
  t.equal(await read(manager, 'rookery/sign-key'), 'just a text\n', 'unchanged')
  manager.close()
})

t.test('a binary secret is read if it is UTF-8 text', async (t) => {
  const manager = awsSecretsManager(env)
  await admin.send(new CreateSecretCommand({ Name: 'utf8', SecretBinary: Buffer.from('schlüssel') }))
  await admin.send(new CreateSecretCommand({ Name: 'random', SecretBinary: Buffer.from([0xff, 0xfe, 0]) }))
  t.equal(await read(manager, 'utf8'), 'schlüssel')
  t.same(
    await faultOf(manager, 'random'),
    configuration('The secret random is binary and not UTF-8 text: encode it, for example in base64.'),
  )
})

t.test('the region in an ARN precedes AWS_REGION, and AWS_DEFAULT_REGION is read too', async (t) => {
  await create('same-name', 'in Frankfurt')
  const { ARN = '' } = await adminIn('us-west-2').send(
    new CreateSecretCommand({ Name: 'same-name', SecretString: 'in Oregon' }),
  )
  const manager = awsSecretsManager({ ...env, AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-central-1' })
  t.equal(await read(manager, ARN), 'in Oregon')
  t.equal(await read(manager, 'same-name'), 'in Frankfurt')
  t.equal(await read(manager, ARN), 'in Oregon')
  const { AWS_REGION: _, ...withoutRegion } = env
  t.equal(await read(awsSecretsManager(withoutRegion), ARN), 'in Oregon')
})

t.test('after a rotation the next read returns the new version', async (t) => {
  const manager = awsSecretsManager(env)
  await create('rotated', '{"password": "first"}')
  t.equal(await read(manager, 'rotated#password'), 'first')
  await admin.send(new PutSecretValueCommand({ SecretId: 'rotated', SecretString: '{"password": "second"}' }))
  t.equal(await read(manager, 'rotated#password'), 'second')
  const pending = { SecretId: 'rotated', SecretString: '{"password": "third"}', VersionStages: ['AWSPENDING'] }
  await admin.send(new PutSecretValueCommand(pending))
  t.equal(await read(manager, 'rotated#password'), 'second', 'a version that is only pending is not read')
})

t.test('the SDK is loaded by the first read, not before', async (t) => {
  await create('lazy', 'read')
  const program = `
    import { createRequire } from 'node:module'
    const { cache } = createRequire(import.meta.url)
    const isLoaded = () => Object.keys(cache).some((path) => path.includes('@aws-sdk'))
    await import('./src/app.ts')
    const { awsSecretsManager } = await import('./src/secrets/aws-secrets-manager.ts')
    const manager = awsSecretsManager(process.env)
    const before = isLoaded()
    const text = await manager.read({ manager: 'aws-sm', path: 'lazy', field: undefined })
    console.log(JSON.stringify([before, text, isLoaded()]))
  `
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, ...env },
  })
  t.same(JSON.parse(stdout), [false, 'read', true])
  t.equal(stderr, '', 'the SDK prints nothing')
})
