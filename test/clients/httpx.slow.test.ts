import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { password, testServer } from '../helper.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('session.py', import.meta.url))

/** A Python with httpx: PYTHON, or the one on the PATH. */
async function findPython(): Promise<string | undefined> {
  for (const python of [process.env.PYTHON, 'python3', 'python']) {
    if (!python) continue
    const found = await run(python, ['-c', 'import httpx']).then(
      () => true,
      () => false,
    )
    if (found) return python
  }
  return undefined
}

const python = await findPython()
const skip = python === undefined && !process.env.CI && 'no python3 with httpx: pip install httpx'

t.test('Python’s httpx can sign up, write, refresh, log out and log in', { skip }, async (t) => {
  if (python === undefined) throw new Error('CI requires a python3 with httpx: pip install httpx')
  const { url } = await testServer(t)
  const { stdout } = await run(python, [script, url, 'httpx_user', password])
  const all = ['device', 'refresh', 'session']
  t.same(JSON.parse(stdout), [
    ['sign up', 201, all],
    ['post', 201, all],
    ['like', 200, all],
    ['refresh', 200, all],
    ['session', 200, all],
    ['log out', 204, ['device']],
    ['no session', 401, ['device']],
    ['log in', 200, all],
  ])
})
