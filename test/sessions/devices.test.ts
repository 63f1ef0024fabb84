import t from 'tap'
import { deviceNameOf } from '../../src/sessions/device-name.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from './set-cookies.ts'

type Device = {
  id: string
  name: string
  current: boolean
  firstSeenAt: string
  firstIp: string
  lastUsedAt: string
  trustedUntil: string | null
}
type Page = { items: Device[]; nextCursor: string | null }
type Client = ReturnType<typeof makeClient>

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

t.test('the devices of an account', async (t) => {
  const { url, db } = await testServer(t)
  const list = async (client: Client, query = '') => (await client.get<Page>(`v1/devices${query}`)).body
  const logIn = async (username: string, client = makeClient(url), userAgent = firefox) => {
    const headers = { 'user-agent': userAgent }
    const { statusCode } = await client.post('v1/session', { json: { username, password }, headers })
    t.equal(statusCode, 200)
    return client
  }
  const confirm = (client: Client) => client.post('v1/session/confirm', { json: { password } })

  t.test('a list has each browser once, newest first, and says which one asks', async (t) => {
    const { client, username } = await signUp(url)
    const other = await logIn(username)
    await logIn(username, other)
    const { items, nextCursor } = await list(client)
    t.equal(nextCursor, null)
    t.match(items, [
      { name: 'Firefox on Linux', current: false, firstIp: '127.0.0.1', trustedUntil: null },
      { name: 'got', current: true, firstIp: '127.0.0.1', trustedUntil: null },
    ])
    for (const { firstSeenAt, lastUsedAt } of items) {
      t.ok(Math.abs(Date.parse(firstSeenAt) - Date.now()) < 60_000)
      t.ok(Date.parse(lastUsedAt) >= Date.parse(firstSeenAt))
    }
    t.same(Object.keys(items[0] ?? {}).sort(), [
      'current',
      'firstIp',
      'firstSeenAt',
      'id',
      'lastUsedAt',
      'name',
      'trustedUntil',
    ])
    t.same(
      (await list(other)).items.map(({ current }) => current),
      [true, false],
    )
    const first = await list(client, '?limit=1')
    const second = await list(client, `?limit=1&cursor=${first.nextCursor}`)
    t.same([...first.items, ...second.items], items)
    t.equal(second.nextCursor, null)
    t.equal((await client.get('v1/devices?cursor=x')).statusCode, 400)
  })

  t.test('a device has the name that its owner gives it', async (t) => {
    const { client } = await signUp(url)
    const stranger = await signUp(url)
    const [own] = (await list(client)).items
    const rename = (client: Client, name: unknown) => client.patch<Device>(`v1/devices/${own?.id}`, { json: { name } })
    const { statusCode, body } = await rename(client, 'The laptop at home')
    t.equal(statusCode, 200)
    t.same(body, { ...own, name: 'The laptop at home' })
    t.same((await list(client)).items, [body])
    for (const name of ['', ' ', 'x'.repeat(51), 'a\nb', '\u202e', 5, undefined]) {
      t.equal((await rename(client, name)).statusCode, 400, JSON.stringify(name))
    }
    t.equal((await rename(stranger.client, 'Mine now')).statusCode, 404)
    t.same((await list(client)).items, [body])
    t.equal((await client.patch('v1/devices/x', { json: { name: 'x' } })).statusCode, 404)
  })

  t.test('a device that is forgotten is unknown, and its sessions go on', async (t) => {
    const { client, username } = await signUp(url)
    const stranger = await signUp(url)
    const other = await logIn(username)
    const [id] = (await list(client)).items.map((device) => device.id)
    t.equal((await client.delete(`v1/devices/${id}`)).statusCode, 403, 'not without a confirmation')
    await confirm(stranger.client)
    t.equal((await stranger.client.delete(`v1/devices/${id}`)).statusCode, 404)
    await confirm(client)
    const forgotten = await client.delete(`v1/devices/${id}`)
    t.equal(forgotten.statusCode, 204)
    t.equal(forgotten.headers['set-cookie'], undefined)
    t.equal((await client.delete(`v1/devices/${id}`)).statusCode, 404, 'again')
    t.equal((await other.get('v1/session')).statusCode, 200)
    t.same(
      (await list(other)).items.map(({ current }) => current),
      [false],
    )
    const [current] = (await list(client)).items
    const answer = await client.delete(`v1/devices/${current?.id}`)
    t.equal(setCookies(answer.headers).device?.value, '', 'the browser forgets it, too')
    t.same((await list(client)).items, [])
  })

  t.test('all are forgotten at once', async (t) => {
    const { client, username } = await signUp(url)
    const stranger = await signUp(url)
    await logIn(username)
    t.equal((await client.delete('v1/devices')).statusCode, 403, 'not without a confirmation')
    await confirm(client)
    const answer = await client.delete('v1/devices')
    t.equal(answer.statusCode, 204)
    t.equal(setCookies(answer.headers).device?.value, '')
    t.same((await list(client)).items, [])
    t.equal((await list(stranger.client)).items.length, 1)
  })

  t.test('a device of an earlier version is listed after its next login', async (t) => {
    const { client, username } = await signUp(url)
    await db.collection('devices').updateMany({}, { $unset: { id: '', name: '', firstIp: '' } })
    t.same((await list(client)).items, [])
    await logIn(username, client, '$lookup/1.0')
    t.match((await list(client)).items, [{ name: '$lookup', current: true, firstIp: '127.0.0.1' }])
    await logIn(username, client)
    t.match((await list(client)).items, [{ name: '$lookup' }], 'and keeps its first name')
  })
})

t.test('a device is named by its user agent', async (t) => {
  const chrome = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0'
  for (const [userAgent, expected] of [
    [firefox, 'Firefox on Linux'],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 Edg/140.0`, 'Edge on Windows'],
    [`Mozilla/5.0 (Linux; Android 15) ${chrome} Mobile Safari/537.36`, 'Chrome on Android'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1', 'Safari on iOS'],
    ['Mozilla/5.0', 'Unknown browser'],
    ['curl/8.14.1', 'curl'],
    ['', 'Unknown client'],
    ['\u009b31m', 'Unknown client'],
    ['x'.repeat(256), 'x'.repeat(40)],
  ] as const)
    t.equal(deviceNameOf(userAgent), expected, userAgent)
})
