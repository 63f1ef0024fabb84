import t, { type Test } from 'tap'
import { rotatingDatabase } from '../database/fixtures/rotating-server.ts'
import { createCanaries } from './fixtures/canaries.ts'
import { useSecrets } from './fixtures/canary-requests.ts'
import { plantFaults, plantSecrets } from './fixtures/canary-secrets.ts'
import { type CanaryServer, createEvidence, startThree } from './fixtures/canary-servers.ts'
import { type CreateSource, fromAws, fromFiles, fromValues, fromVault } from './fixtures/canary-sources.ts'

/** A token that Vault issues at a login. */
const vaultToken = /\b(s|hvs)\.[A-Za-z0-9]{24,}\b/

async function hide(t: Test, createSource: CreateSource, isChangeable: boolean): Promise<void> {
  const canaries = createCanaries()
  const controls = createCanaries()
  const evidence = createEvidence()
  const first = plantSecrets(canaries, 'first')
  const { connection, setUser, administer } = await rotatingDatabase(t)
  await setUser(first.username, first.password)
  const source = await createSource(t, first, canaries)
  const { external, embedded } = await startThree(t, connection.uri, source.env, evidence)
  const servers = [...external, embedded]
  const requests = {
    kid: first.kid,
    password: canaries.plant('an account’s password'),
    marker: controls.plant('a path'),
  }
  const each = (work: (server: CanaryServer) => Promise<void>, some = servers) => Promise.all(some.map(work))
  const use = (some = servers) =>
    each(async ({ name, url }) => evidence.add(`responses of ${name}`, await useSecrets(url, requests)), some)

  async function refuse(username: string): Promise<void> {
    // A user with another password keeps its connections; a new user of the same name does not get them.
    await administer({ dropUser: username })
    await setUser(username, canaries.plant('a password that only MongoDB has'))
  }

  await use()
  await each(({ look }) => look())

  if (isChangeable) {
    const second = plantSecrets(canaries, 'second', first.texts.PASSWORD_PEPPER)
    await setUser(second.username, second.password)
    await source.write(second.texts)
    await each(({ logs, reload }) => logs('secret changed', 5, reload))
    await use()
    await source.write(plantFaults(canaries))
    await each(({ logs, reload }) => logs('secret cannot be read', 6, reload))
    await source.write(plantSecrets(canaries, 'third', second.texts.PASSWORD_PEPPER).texts)
    // A user that the external MongoDB does not have.
    await each(({ logs, reload }) => logs('changed secret cannot be used yet', 1, reload), external)
    await embedded.logs('secret changed', 5, embedded.reload)
    await refuse(second.username)
  } else await refuse(first.username)
  await each(({ logs }) => logs('database refused the user', 1, () => use(external)), external)

  await source.remove()
  if (isChangeable) await each(({ logs, reload }) => logs('secret cannot be read', 6, reload))
  else servers.forEach(({ reload }) => void reload())
  await use()
  await each(({ look }) => look())
  await each(({ stop }) => stop())

  for (const [place, text] of evidence.texts) {
    t.same(canaries.find(text), [], `no secret in ${place} (${text.length} characters)`)
    t.notMatch(text, vaultToken, `no token of Vault in ${place}`)
  }
  for (const { name, childrenMin, ownEnvironment } of servers) {
    const shown = (place: string) => evidence.texts.get(`${place} of ${name}`) ?? ''
    t.ok(controls.find(shown('standard output')).includes('a path as URI'), 'the search finds a path in the log')
    t.ok(controls.find(shown('responses')).includes('a path as JSON'), 'the search finds a profile in the responses')
    t.match(shown('metrics'), /^http_request_duration_seconds_count\{.*status="401"/m)
    t.match(shown('command lines'), /main\.ts/)
    t.ok(new Set(shown('environments').match(/^\d+(?= )/gm)).size >= childrenMin, `all processes of ${name}`)
    const own = canaries.find(ownEnvironment())
    if (!isChangeable) t.ok(own.includes('VAULT_TOKEN as plain text'), 'the search finds a secret in an environment')
  }
}

const ways: { name: string; createSource: CreateSource; isChangeable: boolean }[] = [
  { name: 'values', createSource: fromValues, isChangeable: false },
  { name: 'files', createSource: fromFiles, isChangeable: true },
  { name: 'Vault with an AppRole', createSource: fromVault('approle'), isChangeable: true },
  { name: 'Vault with a token', createSource: fromVault('token'), isChangeable: true },
  { name: 'AWS', createSource: fromAws, isChangeable: true },
]

for (const { name, createSource, isChangeable } of ways) {
  const title = `no secret from ${name} is in a log, a metric, a response, a command line or a child’s environment`
  t.test(title, { timeout: 240_000 }, (t) => hide(t, createSource, isChangeable))
}
