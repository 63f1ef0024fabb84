import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ServerProcess } from './server-process.ts'

const run = promisify(execFile)

/** A Node.js of this machine that is too old, if there is one: what npm puts on the PATH is not of the machine. */
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

t.test('an older Node.js is told what is missing', { skip: !old && 'no Node.js from 18 to 23 here' }, async (t) => {
  if (!old) return
  const { code, out, error } = await new ServerProcess(t, { NODE_OPTIONS: '' }, { node: old.path }).ended
  t.match({ code, out }, { code: 1, out: '' })
  t.match(error, `Rookery needs Node.js 24 or later and this is ${old.version}: `)
  t.match(error, /^[^\n]+\n$/, 'one sentence, without a stack')
})

t.test('every script that runs TypeScript with node looks at its version first', async (t) => {
  const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  for (const [name, script] of Object.entries<string>(scripts))
    if (/\bnode\b.*\.ts\b/.test(script)) t.match(script, /^(exec )?node --import \.\/require-node\.mjs \S+\.ts$/, name)
  t.match(scripts.start, /src\/main\.ts$/)
})
