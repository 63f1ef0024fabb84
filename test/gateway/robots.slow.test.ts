import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { allVariableNames } from '../../src/config.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { serializeKeyRing } from '../../src/secrets/change-key-ring.ts'
import { runAgainst } from '../bot/run-crowd.ts'
import { freshDatabase } from '../helper.ts'
import { freshFolder, nothingRuns, root, ServerProcess } from '../main/server-process.ts'
import { ed25519Key, symmetricKey } from '../secrets/rings.ts'

/** Runs npm run services on a free port until it listens. */
async function startServices(t: Test, DATA_DIR: string) {
  const port = await findFreePort()
  const { TEST_MONGOD_BINARY: MONGOD_BINARY } = process.env
  const hidden = Object.fromEntries(allVariableNames.map((name) => [name, '']))
  const child = spawn(process.execPath, [join(root, 'run.mjs'), 'gateway/main.ts'], {
    env: { ...process.env, ...hidden, MONGOD_BINARY, DATA_DIR, PORT: String(port), BCRYPT_COST: '4' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    out += chunk
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'close')
  while (!/Rookery listens on .* in front of two services/.test(out)) {
    const [event] = await Promise.race([ended.then(() => ['ended']), once(child.stdout, 'data').then(() => ['data'])])
    if (event === 'ended') throw new Error(out)
  }
  return { url: `http://127.0.0.1:${port}`, child, ended, log: () => out }
}

t.test('npm run services: the robots pass through the gateway, and SIGTERM ends everything', async (t) => {
  const DATA_DIR = await freshFolder(t)
  for (const time of ['first', 'second']) {
    const { url, child, ended, log } = await startServices(t, DATA_DIR)
    const size = { users: 8, posts: 4, replies: 4, follows: 8, reactions: 20, deletions: 2 }
    const patience = { totalMs: 120_000, attemptTimeoutMs: 25_000 }
    const { findings, stats } = await runAgainst(url, { ...size, seed: time.length, ...patience })
    t.strictSame(findings.findings, [])
    t.ok(isSuccess(findings, stats.failures()), time, { failures: stats.failures() })
    const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: object[] }
    t.match(keys, [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA' }])
    t.notMatch(JSON.stringify(keys), /"d"/)
    child.kill('SIGTERM')
    t.same(await ended, [0, null])
    // Robots trespass on purpose, type wrong passwords and codes, and show old tokens.
    const provoked = /WARN: (authz_fail|authn_login_fail|authn_second_factor_fail|authn_token_reuse) /
    const warnings = log()
      .split('\n')
      .filter((line) => /ERROR|WARN/.test(line) && !provoked.test(line))
    t.same(warnings, [])
    const files = ['accounts-database.json', 'posts-database.json', 'sign-keys.json', 'public-keys.json']
    for (const name of files) await readFile(join(DATA_DIR, 'services', name))
    t.ok(await nothingRuns(DATA_DIR))
  }
})

t.test('SERVICES=posts starts with neither a symmetric nor a private key', async (t) => {
  const { connection } = await freshDatabase(t)
  const env = {
    SERVICES: 'posts',
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
  }
  for (const [keys, sentence] of [
    [{ JWT_SIGN_KEY: symmetricKey('a').secret }, /SERVICES=posts/],
    [{ JWT_SIGN_KEYS: serializeKeyRing([symmetricKey('a')]) }, /kid a is a symmetric key/],
    [{ JWT_SIGN_KEYS: serializeKeyRing([ed25519Key('b')]) }, /kid b is a private key/],
  ] as const) {
    const { code, error } = await new ServerProcess(t, { ...env, ...keys }).ended
    t.equal(code, 78)
    t.match(error, sentence)
  }
})
