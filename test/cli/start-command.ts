import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import { type Environment, secretNames, variableNames } from '../../src/config.ts'
import { root } from '../main/server-process.ts'
import { nodeCommand } from '../node-command.ts'

/** What the machine exports or a developer's .env sets would decide here: what is empty wins, and counts as absent. */
const nothing = Object.fromEntries(
  [...variableNames, ...secretNames.map((name) => `${name}_FILE`), 'npm_config_fix'].map((name) => [name, '']),
)

/**
 * Starts a command of an operator as npm's script does, and tells how it ended.
 * @param program its file below src
 * @param folder where the project is, this one unless given
 */
export function startCommand(t: Test, program: string, env: Environment, args: string[] = [], folder?: string) {
  const { TEST_MONGOD_BINARY: MONGOD_BINARY } = process.env
  const place = folder ?? root
  const guard = pathToFileURL(join(place, 'require-node.mjs')).href
  const child = spawn(...nodeCommand(['--import', guard, join(place, 'src', program), ...args]), {
    cwd: tmpdir(),
    env: { ...process.env, ...nothing, MONGOD_BINARY, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
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

export const startReconcile = (t: Test, env: Environment, args: string[] = [], folder?: string) =>
  startCommand(t, 'cli/reconcile.ts', env, args, folder)

export const runReconcile = (t: Test, env: Environment, args: string[] = []) => startReconcile(t, env, args).ended

/** As the server's configuration names a database that is not its own. */
export const external = ({ uri, username, password }: { uri: string; username: string; password: string }) => ({
  MONGODB_URI: uri,
  DB_USER: username,
  DB_PASSWORD: password,
  JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K',
})
