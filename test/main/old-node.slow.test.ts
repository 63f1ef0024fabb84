import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ServerProcess } from './server-process.ts'

const run = promisify(execFile)

/** Finds a Node.js of this machine that is too old; npm prepends node_modules/.bin, which is not the machine's. */
async function findOldNode(): Promise<{ path: string; version: string } | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder.includes('node_modules')) continue
    const path = join(folder, 'node')
    const { stdout } = await run(path, ['--version']).catch(() => ({ stdout: '' }))
    const version = stdout.trim()
    const major = Number(/^v(\d+)\./.exec(version)?.[1])
    if (major >= 18 && major < 24) return { path, version }
  }
  return undefined
}

const old = await findOldNode()

t.test(
  'a Node.js older than 24 exits with 1 and one sentence that says what to install',
  { skip: !old && 'no Node.js from 18 to 23 here' },
  async (t) => {
    if (!old) return
    const { code, out, error } = await new ServerProcess(t, { NODE_OPTIONS: '' }, { node: old.path }).ended
    t.match({ code, out }, { code: 1, out: '' })
    t.match(error, `Rookery needs Node.js 24 or later, but this is ${old.version}: `)
    t.match(error, /^[^\n]+\n$/, 'one sentence, without a stack')
  },
)

t.test('every npm script that runs TypeScript with node checks the version of node first', async (t) => {
  const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  for (const [name, script] of Object.entries<string>(scripts))
    if (/\bnode\b.*\.ts\b/.test(script)) t.match(script, /^(exec )?node run\.mjs \S+\.ts$/, name)
  t.equal(scripts.start, 'exec node run.mjs src/main.ts', 'exec: a signal to npm’s child reaches the server')
})
