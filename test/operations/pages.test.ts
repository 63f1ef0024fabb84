import t from 'tap'
import { testServer } from '../helper.ts'
import { ask } from '../http/wire.ts'

const files = ['page.css', 'page.js', 'swagger-ui.css', 'swagger-ui-bundle.js'].map((name) => `/docs/static/${name}`)

t.test('pages and documents are sent once each, compressed or not, and log no warning', async (t) => {
  const { port, lines } = await testServer(t)
  for (const path of ['/', '/readme', '/openapi.json', '/docs', '/docs/', ...files]) {
    for (const method of ['GET', 'HEAD']) {
      for (const coding of ['identity', 'gzip']) {
        const headers = { 'accept-encoding': coding }
        const answer = await ask(port, method, path, { headers })
        t.equal(answer.status, 200, `${method} ${path} ${coding}`)
        const known = { ...headers, 'if-none-match': answer.headers.etag ?? '' }
        t.equal((await ask(port, method, path, { headers: known })).status, 304, `${method} ${path} ${coding}, known`)
      }
    }
  }
  t.same(
    lines.filter((line) => JSON.parse(line).level >= 40),
    [],
  )
})
