import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { pythonWith, run } from '../generated-clients/cached.ts'
import { password, testServer } from '../helper.ts'

const hooks = fileURLToPath(new URL('hooks.py', import.meta.url))
/** hooks.py has the same checks, but for refusals that a schema cannot say, and for paths that begin with another's. */
const replaced = ['--exclude-checks', 'positive_data_acceptance,use_after_free']

t.test('schemathesis finds no fault, with every check and in all phases', { timeout: 460_000 }, async (t) => {
  const python = await pythonWith('schemathesis-4.32.5', ['schemathesis==4.32.5'])
  const { url } = await testServer(t, {
    LIMIT_SIGNUPS_PER_ADDRESS: '1000000',
    LIMIT_SIGNUPS_PER_NETWORK: '1000000',
    LIMIT_EXPORTS_PER_ACCOUNT: '1000',
    LIMIT_FAILED_LOGINS_PER_ADDRESS: '1000',
    LIMIT_FAILED_LOGINS_PER_NETWORK: '1000',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT: '1000',
  })
  const folder = await mkdtemp(join(tmpdir(), 'rookery-schemathesis-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const env = { ...process.env, ROOKERY_URL: url, ROOKERY_PASSWORD: password, SCHEMATHESIS_HOOKS: hooks }
  // A fixed seed; the time ends the phases that repeat until it is spent.
  const options = ['--seed', '1', '--max-examples', '15', '--max-time', '200', '--continue-on-failure', '--no-color']
  const program = ['-c', 'from schemathesis.cli import schemathesis; schemathesis()']
  // The response of a stream never ends.
  const args = [...program, 'run', `${url}/openapi.json`, ...replaced, '--exclude-path', '/v1/stream', ...options]
  const result = await run(python, args, { env, cwd: folder, maxBuffer: 2 ** 26 }).catch((error) => error)
  t.notOk(result.code, result.code && result.stdout)
  for (const phase of ['Examples', 'Coverage', 'Fuzzing', 'Stateful']) t.match(result.stdout, `✅ ${phase}`)
})
