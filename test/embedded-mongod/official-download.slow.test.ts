import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Test, test } from 'tap'

const run = promisify(execFile)
const fixture = fileURLToPath(new URL('./fixtures/find-binary.ts', import.meta.url))

const has = (program: string, ...args: string[]) => {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const skip =
  !(process.platform === 'linux' && has('openssl', 'version') && has('tar', '--version')) && 'needs openssl and tar'

/** A download host that serves an archive as MongoDB does: over https, with its SHA-256 beside it. */
async function mirror(t: Test, checksum: (archive: Buffer) => string) {
  const folder = t.testdir({ cache: {}, empty: {} })
  const key = join(folder, 'key.pem')
  const certificate = join(folder, 'certificate.pem')
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '1']
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    certificate,
    ...subject,
  ])
  const bin = join(folder, 'mongodb', 'bin')
  await mkdir(bin, { recursive: true })
  await writeFile(join(bin, 'mongod'), '#!/bin/sh\necho "db version v8.0.17"\n', { mode: 0o755 })
  await run('tar', ['-czf', join(folder, 'archive.tgz'), '-C', folder, 'mongodb'])
  const archive = await readFile(join(folder, 'archive.tgz'))
  const requests: string[] = []
  const server = createServer(
    { key: await readFile(key), cert: await readFile(certificate) },
    ({ url = '' }, reply) => {
      requests.push(url)
      const body = url.endsWith('.sha256') ? `${checksum(archive)}  ${url.split('/').at(-1)}\n` : archive
      reply.writeHead(200, { 'content-length': Buffer.byteLength(body) }).end(body)
    },
  )
  await new Promise<void>((resolve) => server.listen(0, resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo // TCP always
  /** Searches with an empty PATH and an empty cache. */
  const find = async (trusted: boolean) => {
    const env = {
      PATH: join(folder, 'empty'),
      HOME: folder,
      MONGOMS_DOWNLOAD_MIRROR: `https://localhost:${port}`,
      ...(trusted && { NODE_EXTRA_CA_CERTS: certificate }),
    }
    const { stdout } = await run(process.execPath, [fixture, join(folder, 'cache')], { env })
    return JSON.parse(stdout)
  }
  return { find, requests, cache: join(folder, 'cache') }
}

const sha256 = (archive: Buffer) => createHash('sha256').update(archive).digest('hex')

test('the official archive is downloaded once, verified, unpacked and cached', { skip }, async (t) => {
  const { find, requests, cache } = await mirror(t, sha256)
  t.same(await find(true), { path: join(cache, 'mongod-8.0.17'), version: '8.0.17' })
  t.same(await readdir(cache), ['mongod-8.0.17'], 'nothing else remains')
  const before = requests.length
  t.same(await find(true), { path: join(cache, 'mongod-8.0.17'), version: '8.0.17' })
  t.equal(requests.length, before, 'downloaded once')
})

test('an archive with another SHA-256 is refused, and so is one without', { skip }, async (t) => {
  const md5 = (archive: Buffer) => createHash('md5').update(archive).digest('hex')
  for (const checksum of [() => '0'.repeat(64), md5, () => '<html>']) {
    const { find, cache } = await mirror(t, checksum)
    t.match((await find(true)).startError, /the official download: the archive's SHA-256 is [0-9a-f]{64}, not the/)
    t.same(await readdir(cache), [])
  }
})

test('a download host with an untrusted certificate is refused', { skip }, async (t) => {
  const { find, requests, cache } = await mirror(t, sha256)
  t.match((await find(false)).startError, /the official download: .*certificate/)
  t.same(requests, [])
  t.same(await readdir(cache), [])
})
