import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { password, testServer } from '../helper.ts'

const run = promisify(execFile)
const missing = await run('curl', ['--version']).then(
  () => false as const,
  () => 'no curl',
)

t.test('curl with -c and -b can sign up, write, refresh, log out and log in', { skip: missing }, async (t) => {
  const { url } = await testServer(t)
  const jar = join(t.testdir(), 'cookies')
  /** Runs curl without the user's `.curlrc`. */
  const curl = async (method: string, path: string, data?: object) => {
    const body = data ? ['-H', 'Content-Type: application/json', '-d', JSON.stringify(data)] : []
    const args = ['-q', '-sS', '--noproxy', '*', '-m', '60', '-c', jar, '-b', jar, '-X', method, ...body]
    const { stdout } = await run('curl', [...args, '-w', '\n%{http_code}', `${url}/v1/${path}`])
    const end = stdout.lastIndexOf('\n')
    const text = stdout.slice(0, end)
    return { status: Number(stdout.slice(end)), body: text === '' ? undefined : JSON.parse(text) }
  }
  const names = async () =>
    (await readFile(jar, 'utf8'))
      .split('\n')
      .map((line) => line.split('\t')[5])
      .filter((name) => name !== undefined)
      .sort()
  const credentials = { username: 'curl_user', password }
  t.equal((await curl('POST', 'accounts', credentials)).status, 201)
  t.same(await names(), ['device', 'refresh', 'session'])
  const { status, body } = await curl('POST', 'posts', { text: 'From curl' })
  t.equal(status, 201)
  t.match(await curl('PUT', `posts/${body.id}/reaction`, { value: 'like' }), {
    status: 200,
    body: { value: 'like', counts: { likes: 1 } },
  })
  const before = await readFile(jar, 'utf8')
  t.match(await curl('POST', 'session/refresh'), { status: 200, body: { account: { username: 'curl_user' } } })
  t.not(await readFile(jar, 'utf8'), before)
  t.equal((await curl('GET', 'session')).status, 200)
  t.equal((await curl('DELETE', 'session')).status, 204)
  // The jar is not compared: curl 7.88 keeps all but the last cookie that one response clears.
  t.equal((await curl('GET', 'session')).status, 401)
  t.equal((await curl('POST', 'session/refresh')).status, 401)
  t.equal((await curl('POST', 'session', credentials)).status, 200)
})
