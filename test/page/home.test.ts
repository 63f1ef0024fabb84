import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, field } from '../http/wire.ts'

const chromium = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

t.test('GET / is a page for browsers and links in JSON for all others', async (t) => {
  const { port } = await testServer(t)
  for (const [accept, type] of [
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['application/json, text/html;q=0.9', 'application/json'],
    ['text/html;q=0.5, application/json;q=0.4', 'text/html'],
    ['text/html;q=0, */*', 'application/json'],
    ['application/*;q=0.1, text/*', 'text/html'],
    ['image/png', 'application/json'],
    ['nonsense', 'application/json'],
    [chromium, 'text/html'],
    ['text/html', 'text/html'],
  ] as const) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(port, method, '/', { headers: accept === undefined ? {} : { accept } })
      t.match(answer, {
        status: 200,
        headers: { 'content-type': `${type}; charset=utf-8`, vary: 'Accept, Accept-Encoding', etag: /^"/ },
      })
      t.equal(answer.text === '', method === 'HEAD', `${method} ${accept}`)
      t.match(answer.headers['content-security-policy'], /^default-src 'none';/)
      t.notMatch(answer.headers['content-security-policy'], /unsafe|\*|https?:/)
    }
  }
  const page = await ask(port, 'GET', '/', { headers: { accept: 'text/html' } })
  t.notMatch(page.text, /<script>|<style|\sstyle=|\son\w+=|https?:/, 'nothing inline, and no other host')
})

t.test('every link of GET / leads to something, and DOCS=false leaves out the pages of the API', async (t) => {
  const { port } = await testServer(t)
  const links = field((await ask(port, 'GET', '/')).body, 'links') ?? {}
  t.match(links, { docs: '/docs', readme: '/readme', openapi: '/openapi.json' })
  for (const [name, path] of Object.entries(links)) t.not((await ask(port, 'GET', String(path))).status, 404, name)
  t.match(await ask(port, 'GET', '/readme'), {
    status: 200,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    text: /^# Rookery/,
  })

  const bare = await testServer(t, { DOCS: 'false' })
  t.match((await ask(bare.port, 'GET', '/')).body, {
    links: { docs: undefined, readme: undefined, openapi: '/openapi.json' },
  })
  t.match(await ask(bare.port, 'GET', '/', { headers: { accept: chromium } }), {
    headers: { 'content-type': 'text/html; charset=utf-8' },
    text: /data-docs="false"/,
  })
})

t.test('with PAGE=false GET / is links in JSON for every client, and nothing of the page is served', async (t) => {
  const { port } = await testServer(t, { PAGE: 'false' })
  const answer = await ask(port, 'GET', '/', { headers: { accept: chromium } })
  t.match(answer, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } })
  t.match(answer.body, { links: { docs: '/docs', openapi: '/openapi.json' } })
  for (const file of ['page.js', 'page.css']) t.equal((await ask(port, 'GET', `/page/${file}`)).status, 404, file)
})

t.test('the page says the minimum length of a password', async (t) => {
  const { port } = await testServer(t, { PASSWORD_MIN_LENGTH: '12' })
  const { text } = await ask(port, 'GET', '/', { headers: { accept: chromium } })
  t.match(text, /data-password-min-length="12"/)
})
