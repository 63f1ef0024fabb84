import t from 'tap'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'

// On no list, and easy to guess.
const weak = 'w8!'.repeat(20)

const attacks: Record<string, { env: Record<string, string>; outcomes: unknown[] }> = {
  'with generous limits': { env: {}, outcomes: [400, 503] },
  'over the network’s limit': { env: { LIMIT_SIGNUPS_PER_NETWORK: '20' }, outcomes: [400, 429] },
}

for (const [name, { env, outcomes }] of Object.entries(attacks)) {
  t.test(
    `weak passwords from 80 /64s of one network stop no sign-up of others, ${name}`,
    { timeout: 180_000 },
    async (t) => {
      const { port } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1', ...env })
      const signUp = async (username: string, from: string, given = password) => {
        const headers = { 'x-forwarded-for': from }
        const answer = await ask(port, 'POST', '/v1/accounts', { json: { username, password: given }, headers })
        return answer.status === 503 && field(answer.body, 'code') !== 'overloaded' ? 'the database' : answer.status
      }
      let isOver = false
      const seen = new Set<unknown>()
      const loop = async (n: number) => {
        while (!isOver) seen.add(await signUp(`attacker${n}`, `2001:db8:bad:${n.toString(16)}::1`, weak))
      }
      const loops = Promise.all(Array.from({ length: 80 }, (_, n) => loop(n)))
      const users = Array.from({ length: 8 }, (_, n) => signUp(`user${n}`, `2001:db8:${n}::1`))
      const found = await Promise.all(users)
      isOver = true
      await loops
      t.same(
        found.filter((status) => status !== 'the database' && status !== 201),
        [],
      )
      t.ok(found.includes(201))
      const expected = new Set([...outcomes, 503, 'the database'])
      t.same(
        [...seen].filter((outcome) => !expected.has(outcome)),
        [],
        [...seen].join(),
      )
    },
  )
}

t.test('while a session changes its password', { timeout: 180_000 }, async (t) => {
  const { port } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1' })
  const cookie = await cookieOf(port, 'ann')
  let isOver = false
  const loop = async (n: number) => {
    const headers = { 'x-forwarded-for': `10.0.${n}.1` }
    while (!isOver) await ask(port, 'POST', '/v1/accounts', { json: { username: `a${n}a`, password: weak }, headers })
  }
  const loops = Promise.all(Array.from({ length: 80 }, (_, n) => loop(n)))
  const json = { currentPassword: password, newPassword: 'seven grey owls knit at 5 again' }
  const { status, body } = await ask(port, 'PUT', '/v1/account/password', { json, headers: { cookie } })
  isOver = true
  await loops
  t.not(field(body, 'code'), 'overloaded')
  t.ok(status === 204 || status === 503, `${status}`)
})
