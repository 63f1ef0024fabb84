import t from 'tap'
import type { ProblemCode } from '../../src/http/problems.ts'
import { password, testServer } from '../helper.ts'
import { atQuarterHour } from '../limits/quarter-hour.ts'
import { ask, cookieOf, expectProblem, field } from './wire.ts'

// Each request has several faults; the first check in the contract's order must answer.
const evil = { origin: 'https://evil.example' }
const plain = { 'content-type': 'text/plain' }
const huge = 'x'.repeat(20_000)

t.test('the first check in the contract’s order answers a request with several faults', async (t) => {
  atQuarterHour(t)
  const { port } = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '3', LIMIT_WRITES_PER_ACCOUNT: '20' })
  const ann = { cookie: await cookieOf(port, 'ann') }
  const bob = { cookie: await cookieOf(port, 'bob') }
  const busy = { cookie: await cookieOf(port, 'busy') }
  for (let n = 0; n < 20; n += 1) await ask(port, 'POST', '/v1/posts', { headers: busy, json: {} })
  const created = await ask(port, 'POST', '/v1/posts', { headers: ann, json: { text: 'x' } })
  const path = `/v1/posts/${field(created.body, 'id')}`
  const gone = '/v1/posts/01890000-0000-7000-8000-000000000000'
  const json = { 'content-type': 'application/json' }

  const steps: [ProblemCode, string, string, Record<string, string>, string?][] = [
    ['uri-too-long', 'POST', `/nowhere?${huge.slice(0, 5_000)}`, evil, huge],
    ['not-found', 'POST', '/nowhere?x=1', { ...evil, ...plain }, huge],
    ['not-found', 'POST', '/v1/posts/x/y', { ...json }, '{'],
    ['method-not-allowed', 'PUT', '/v1/posts?x=1', { ...evil, ...plain }, huge],
    ['method-not-allowed', 'POST', '/v1/account', { ...json }, '{'],
    ['cross-site', 'POST', '/v1/posts?x=1', { ...evil, ...plain }, huge],
    ['cross-site', 'POST', '/v1/accounts', { ...evil, ...plain }, huge],
    ['cross-site', 'DELETE', path, { ...evil, ...ann }],
    ['unauthenticated', 'POST', '/v1/posts?x=1', plain, huge],
    ['unauthenticated', 'PATCH', '/v1/posts/no-id', json, '{'],
    ['unauthenticated', 'GET', '/v1/account?x=1', {}],
    ['rate-limited', 'POST', '/v1/accounts?x=1', plain, huge],
    ['rate-limited', 'POST', '/v1/accounts', json, JSON.stringify({ username: 'ann', password })],
    ['cross-site', 'POST', '/v1/posts?x=1', { ...evil, ...busy, ...plain }, huge],
    ['rate-limited', 'POST', '/v1/posts?x=1', { ...busy, ...plain }, huge],
    ['rate-limited', 'POST', '/v1/posts', { ...busy, ...json }, huge],
    ['rate-limited', 'PATCH', path, { ...busy, ...json }, '{'],
    ['rate-limited', 'PATCH', '/v1/posts/no-id', { ...busy, ...json }, '{"text":"x"}'],
    ['rate-limited', 'DELETE', path, busy],
    ['rate-limited', 'PATCH', '/v1/account', { ...busy, ...json }, '{'],
    ['payload-too-large', 'POST', '/v1/posts?x=1', { ...ann, ...json }, huge],
    ['unsupported-media-type', 'POST', '/v1/posts?x=1', { ...ann, ...plain }, '{'],
    ['malformed-json', 'PATCH', '/v1/posts/no-id', { ...ann, ...json }, '{'],
    ['validation', 'PATCH', gone, { ...ann, ...json }, '{"text":""}'],
    ['validation', 'PATCH', path, { ...bob, ...json }, '{"text":""}'],
    ['validation', 'PATCH', `${path}?x=1`, { ...bob, ...json }, '{"text":"x"}'],
    ['validation', 'GET', `${gone}/reactions?limit=0`, {}],
    ['validation', 'DELETE', '/v1/sessions?x=1', ann],
    ['not-found', 'PATCH', gone, { ...ann, ...json }, '{"text":"x"}'],
    ['forbidden', 'PATCH', path, { ...bob, ...json }, '{"text":"x"}'],
  ]
  for (const [code, method, path, headers, body] of steps) {
    const answer = await ask(port, method, path, { headers, ...(body !== undefined && { body }) })
    expectProblem(
      t,
      answer,
      code,
      `${code}: ${method} ${path.slice(0, 24)} ${Object.keys(headers)} ${body?.slice(0, 12)}`,
    )
  }
})

t.test('a path id or username of the wrong shape is 404', async (t) => {
  const { port } = await testServer(t)
  const ids = ['x', '1', '%zz', '%ff', '%00', '%2e%2e', 'a%2Fb', 'x'.repeat(101), 'x'.repeat(3_000)]
  ids.push('01890000-0000-4000-8000-000000000000', '01890000-0000-7000-8000-00000000000G', '[object%20Object]')
  for (const id of ids)
    expectProblem(t, await ask(port, 'GET', `/v1/posts/${id}`), 'not-found', `post ${id.slice(0, 40)}`)
  const names = [
    'ab',
    'a'.repeat(31),
    'a-b',
    'a%20b',
    '%C3%A9t%C3%A9',
    '%E2%84%AAelvin',
    '__proto__%00',
    '$ne',
    '%E0%A4%A',
  ]
  for (const name of names) {
    expectProblem(t, await ask(port, 'GET', `/v1/accounts/${name}`), 'not-found', `account ${name}`)
    expectProblem(t, await ask(port, 'GET', `/v1/accounts/${name}/posts`), 'not-found', `posts of ${name}`)
  }
})
