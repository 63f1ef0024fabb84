import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { allVariableNames } from '../../src/config.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { root } from '../main/server-process.ts'

/** Empty variables count as absent, and take precedence over those of the machine and of a developer's .env. */
export const emptyVariables = Object.fromEntries([...allVariableNames, 'npm_config_fix'].map((name) => [name, '']))

/**
 * Starts an operator's command as its npm script does.
 * @param program its path below src/
 * @param projectDir the project's root; default: this one
 * @param input its standard input
 */
export function startCommand(
  t: Test,
  program: string,
  env: Environment,
  args: string[] = [],
  projectDir = root,
  input = '',
) {
  const { TEST_MONGOD_BINARY: MONGOD_BINARY } = process.env
  const child = spawn(process.execPath, [join(projectDir, 'run.mjs'), join('src', program), ...args], {
    cwd: tmpdir(),
    env: { ...process.env, ...emptyVariables, MONGOD_BINARY, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A command that does not read its input may exit first.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  t.teardown(() => child.kill('SIGKILL'))
  let [out, error] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    error += chunk.toString()
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, error }))
  return { child, ended }
}

export const startReconcile = (t: Test, env: Environment, args: string[] = [], projectDir = root) =>
  startCommand(t, 'cli/reconcile.ts', env, args, projectDir)

export const runReconcile = (t: Test, env: Environment, args: string[] = []) => startReconcile(t, env, args).ended

/** The variables of an external database. */
export const external = ({ uri, username, password }: { uri: string; username: string; password: string }) => ({
  MONGODB_URI: uri,
  DB_USER: username,
  DB_PASSWORD: password,
  JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K',
})
