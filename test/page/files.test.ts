import { readdir } from 'node:fs/promises'
import t from 'tap'
import { testServer } from '../helper.ts'

const folder = new URL('../../src/page/files/', import.meta.url)

t.test('the page has under 60 KB in all as browsers fetch it, and every file has the strict policy', async (t) => {
  const { url } = await testServer(t)
  const html = await (await fetch(url, { headers: { accept: 'text/html' } })).text()
  let sizeBytes = 0
  for (const name of await readdir(folder)) {
    const path = name === 'index.html' ? '/' : `/page/${name}`
    const response = await fetch(url + path, { headers: { accept: 'text/html, */*', 'accept-encoding': 'gzip' } })
    t.equal(response.status, 200, path)
    const policy = response.headers.get('content-security-policy') ?? ''
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "require-trusted-types-for 'script'",
    ])
      t.ok(policy.split('; ').includes(part), `${path}: ${part}`)
    t.notMatch(policy, /unsafe|\*|https?:/)
    t.equal(response.headers.get('content-encoding'), 'gzip')
    t.equal(response.headers.get('cache-control'), 'no-cache')
    sizeBytes += Number(response.headers.get('content-length'))
    const tag = response.headers.get('etag') ?? ''
    if (name.endsWith('.js')) t.ok(html.includes(`modulepreload" href="${path}"`), `${path} is fetched at once`)
    const again = await fetch(url + path, { headers: { accept: 'text/html', 'if-none-match': tag } })
    t.equal(again.status, 304, `${path} is revalidated`)
  }
  t.ok(sizeBytes > 10_000 && sizeBytes < 60_000, `${sizeBytes} bytes`)
})

t.test('no file of the page writes markup, reads a cookie, keeps a token or names another host', async (t) => {
  const { url } = await testServer(t)
  for (const name of await readdir(folder)) {
    const response = await fetch(`${url}${name === 'index.html' ? '/' : `/page/${name}`}`, {
      headers: { accept: 'text/html, */*' },
    })
    const text = await response.text()
    t.notMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|setHTML/,
      name,
    )
    t.notMatch(text, /document\.cookie|localStorage|sessionStorage|indexedDB/, name)
    const hosts = (text.match(/https?:\/\/[^/'"`\s]*/g) ?? []).filter((host) => host !== 'http://www.w3.org')
    t.same(hosts, [], name)
  }
})
