import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { makeClient, password, testServer } from '../helper.ts'
import { makeCertificate } from './certificate.ts'
import { tlsProxy } from './tls-proxy.ts'

const run = promisify(execFile)

/** A client program in `programs/`. It gets a URL, a username and a password, and prints a line for each step. */
export const programPath = (name: string) => fileURLToPath(new URL(`programs/${name}`, import.meta.url))

/** Options of a test that needs a tool: it is skipped if the tool is missing, but fails in CI. */
export async function needs(tool: string, ...args: string[]) {
  const found = await run(tool, args).then(
    () => true,
    () => false,
  )
  if (!found && process.env.CI) throw new Error(`CI requires ${tool} ${args.join(' ')}`)
  return { skip: !found && `no ${tool}: install it`, timeout: 400_000 }
}

const steps = [
  'sign-up 201',
  'log-in 200',
  'post 201',
  'like 200',
  'dislike 200',
  'refresh 200',
  'read 200',
  'log-out 204',
  'refused 401',
]
const loggedIn = steps.slice(0, -2)

/** The lines of a program that succeeds; `prefix` is that of the cookies' names. */
const expectedLines = (prefix: string) =>
  steps.map((step) => {
    const names = loggedIn.includes(step) ? ['device', 'refresh', 'session'] : ['device']
    return `${step} ${names.map((name) => prefix + name).join()}`
  })

/** A file with the server's certificate, in the formats that clients take it in. */
export type Trust = { pem: string; folder: string }

type Client = {
  name: string
  command: (trust?: Trust) => Promise<readonly [tool: string, ...args: string[]]>
  /** For a server over https with this certificate. */
  env?: (trust: Trust) => NodeJS.ProcessEnv
  /** It does not print what its jar has. */
  printsNoCookies?: boolean
}

async function expectSession(t: Test, url: string, prefix: string, client: Client, trust?: Trust): Promise<void> {
  const [tool, ...args] = await client.command(trust)
  const username = `u${Date.now().toString(36)}`
  const env = { ...process.env, NO_PROXY: '*', no_proxy: '*', ...(trust && client.env?.(trust)) }
  const { stdout } = await run(tool, [...args, url, username, password], { env, timeout: 200_000 })
  const expected = client.printsNoCookies ? steps : expectedLines(prefix)
  t.same(stdout.trimEnd().split('\n'), expected)
}

/** Runs a program through a whole session, over http and https. */
export async function testWholeSession(t: Test, client: Client): Promise<void> {
  await t.test(`${client.name} over http`, async (t) => {
    const { url } = await testServer(t)
    await expectSession(t, url, '', client)
    const { body } = await makeClient(url).get<{ items: object[] }>('v1/posts')
    t.match(body.items, [{ counts: { likes: 0, dislikes: 1 } }], 'the dislike took the place of the like')
  })

  await t.test(`${client.name} over https`, async (t) => {
    const certificate = await makeCertificate(['localhost'])
    const proxy = await tlsProxy(t, certificate)
    const url = `https://localhost:${proxy.port}`
    const { port } = await testServer(t, { COOKIE_SECURE: 'true', PUBLIC_ORIGIN: url })
    proxy.ports.set('localhost', port)
    // Java's HttpsURLConnection names no server whose name has no dot.
    proxy.ports.set(false, port)
    const folder = t.testdir()
    const pem = join(folder, 'certificate.pem')
    await writeFile(pem, certificate.cert)
    await expectSession(t, url, '__Host-', client, { pem, folder })
  })
}
