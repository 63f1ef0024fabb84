import type { Test } from 'tap'
import type { Environment } from '../../src/environment/environment.ts'
import { ServerProcess } from './server-process.ts'

/** Expects a start to fail with one sentence on stderr and an exit code: 78 for the configuration, 69 out of reach. */
export async function expectRefusal(
  t: Test,
  env: Environment,
  sentence: RegExp | string,
  exitCode: 69 | 78 = 78,
): Promise<void> {
  const { code, out, error } = await new ServerProcess(t, env).ended
  t.equal(code, exitCode)
  t.match(error, sentence)
  t.match(error, /^(The configuration is invalid:\n)?[^\n]+\n$/, 'one line, without a stack')
  t.notMatch(out, /Rookery listens/)
  if (env.DB_PASSWORD) t.notOk((out + error).includes(env.DB_PASSWORD), 'without the password')
}
