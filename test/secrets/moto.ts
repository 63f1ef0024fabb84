import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'

const run = promisify(execFile)

const packages = ['moto==5.2.5', 'flask==3.1.3', 'flask-cors==6.0.5']
const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rookery', 'moto-5.2.5')

/** Ends when its standard input does, so that it does not outlive a killed test. */
const program = `
import os, sys, threading
from moto.server import main
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
main(['-H', '127.0.0.1', '-p', '0'])
`

/** Installs moto into a virtual environment outside the repository, once for all runs. @returns its Python */
async function installMoto(): Promise<string> {
  const python = join(folder, 'bin', 'python')
  if (existsSync(python)) return python
  const temporary = `${folder}.${process.pid}.new`
  try {
    await mkdir(folder, { recursive: true })
    await run('python3', ['-m', 'venv', temporary]).catch((error: unknown) => {
      throw new Error('These tests need Python with venv: apt-get install python3-venv', { cause: error })
    })
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    await run(join(temporary, 'bin', 'python'), [...pip, ...packages]).catch((error: unknown) => {
      throw new Error(`These tests need the PyPI packages ${packages.join(', ')}`, { cause: error })
    })
    // Replaces an empty folder only: of two runs that install at once, one finds the other's.
    await rename(temporary, folder).catch((error: unknown) => {
      if (!existsSync(python)) throw error
    })
    return python
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Starts moto, a server that behaves as AWS does (https://docs.getmoto.org), with an empty account in each region. */
export async function startMoto(t: Test): Promise<{ url: string; stop: () => Promise<void> }> {
  const child = spawn(await installMoto(), ['-c', program], { stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  async function stop() {
    child.stdin.end()
    await ended
  }
  t.teardown(stop)
  let output = ''
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    output += String(chunk)
    const url = /Running on (http:\S+)/.exec(output)?.[1]
    if (url === undefined) continue
    // Its log of requests would fill the pipe.
    child.stderr.resume()
    return { url, stop }
  }
  throw new Error(`moto exited: ${output}`)
}
