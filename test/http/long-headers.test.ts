import t from 'tap'
import { makeClient, testServer } from '../helper.ts'

const long = 'x/x, '.repeat(200)

t.test('lists of choices that are too long to be read count as none', async (t) => {
  const { url } = await testServer(t)
  const client = makeClient(url)

  t.test('Accept', async (t) => {
    const short = await client('', { headers: { accept: 'x/x, text/html' }, responseType: 'text' })
    t.match(short.headers['content-type'], /^text\/html/)
    const response = await client('', { headers: { accept: `${long}text/html` } })
    t.equal(response.statusCode, 200)
    t.match(response.headers['content-type'], /^application\/json/)
  })

  t.test('Accept-Encoding', async (t) => {
    const encodingOf = async (accepted: string) => {
      const { headers } = await client('openapi.json', {
        headers: { 'accept-encoding': accepted },
        decompress: false,
        responseType: 'buffer',
      })
      return headers['content-encoding']
    }
    t.equal(await encodingOf('x, gzip'), 'gzip')
    t.equal(await encodingOf(`${long}gzip`), undefined)
  })

  t.test('If-None-Match', async (t) => {
    const { etag } = (await client('.well-known/jwks.json')).headers
    const statusOf = async (tags: string) =>
      (await client('.well-known/jwks.json', { headers: { 'if-none-match': tags } })).statusCode
    t.equal(await statusOf(`"x", ${etag}`), 304)
    t.equal(await statusOf(`${long}${etag}`), 200)
  })

  t.test('the parameters of a Content-Type that are too long are no JSON', async (t) => {
    const statusOf = async (parameters: string) => {
      const headers = { 'content-type': `application/json${parameters}` }
      return (await client.post('v1/session', { headers, body: '{}' })).statusCode
    }
    t.equal(await statusOf(';;'), 400)
    t.equal(await statusOf(';'.repeat(1_000)), 415)
  })
})
