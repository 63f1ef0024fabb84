import t from 'tap'
import { testServer } from '../helper.ts'
import { field, rawText } from './wire.ts'

const host = 'Host: localhost\r\n'
const close = `${host}Connection: close\r\n`
const json = 'Content-Type: application/json\r\n'

/** Headers that disclose the software, and its names and version anywhere in a response. */
const banner = new RegExp(
  `^(server|via|x-powered-by|x-generator|x-runtime|x-[a-z-]*version):|fastify|node\\.?js|mongo|helmet|swagger|${process.version}`,
  'im',
)

t.test('no response discloses the server software or its version', { timeout: 120_000 }, async (t) => {
  const { port, lines } = await testServer(t)
  const address = lines.map((line) => field(JSON.parse(line), 'address')).find((address) => field(address, 'port'))
  const metricsPort = Number(field(address, 'port'))

  const requests: Record<string, [status: number, bytes: string]> = {
    'a list': [200, `GET /v1/posts HTTP/1.1\r\n${close}\r\n`],
    HEAD: [200, `HEAD /v1/posts HTTP/1.1\r\n${close}\r\n`],
    OPTIONS: [405, `OPTIONS /v1/posts HTTP/1.1\r\n${close}\r\n`],
    'OPTIONS *': [405, `OPTIONS * HTTP/1.1\r\n${close}\r\n`],
    TRACE: [405, `TRACE /v1/posts HTTP/1.1\r\n${close}\r\n`],
    'an upgrade': [200, `GET /v1/posts HTTP/1.1\r\n${host}Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`],
    'an unknown URL': [404, `GET /nowhere HTTP/1.1\r\n${close}\r\n`],
    'an invalid URL': [404, `GET /v1/posts/%zz HTTP/1.1\r\n${close}\r\n`],
    'an overlong URL': [414, `GET /${'x'.repeat(5_000)} HTTP/1.1\r\n${close}\r\n`],
    'an overlong URL, on the socket': [414, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${close}\r\n`],
    'no session': [401, `GET /v1/account HTTP/1.1\r\n${close}\r\n`],
    'not JSON': [400, `POST /v1/session HTTP/1.1\r\n${close}${json}Content-Length: 1\r\n\r\n{`],
    'another type': [415, `POST /v1/session HTTP/1.1\r\n${close}Content-Type: a/b\r\nContent-Length: 1\r\n\r\n{`],
    'a large body': [413, `POST /v1/session HTTP/1.1\r\n${close}${json}Content-Length: 99999\r\n\r\n`],
    'large headers': [431, `GET / HTTP/1.1\r\n${close}A: ${'x'.repeat(20_000)}\r\n\r\n`],
    'not HTTP': [400, 'nonsense\r\n\r\n'],
    'HTTP/1.0': [200, 'GET /v1/posts HTTP/1.0\r\n\r\n'],
    'HTTP/2': [400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    TLS: [400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    RTSP: [404, 'DESCRIBE /x RTSP/1.0\r\n\r\n'],
    'the documentation page': [200, `HEAD /docs HTTP/1.1\r\n${close}\r\n`],
    'its script': [200, `HEAD /docs/static/swagger-ui-bundle.js HTTP/1.1\r\n${close}\r\n`],
    'the OpenAPI document': [200, `HEAD /openapi.json HTTP/1.1\r\n${close}\r\n`],
    'an expectation': [400, `POST /v1/session HTTP/1.1\r\n${close}${json}Expect: b\r\nContent-Length: 2\r\n\r\n{}`],
    health: [200, `GET /health/ready HTTP/1.1\r\n${close}\r\n`],
  }
  for (const [name, [status, bytes]] of Object.entries(requests)) {
    const text = await rawText(port, bytes)
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), name)
    t.notMatch(text, banner, name)
  }
  t.notMatch(await rawText(port, `CONNECT a.example:443 HTTP/1.1\r\n${host}\r\n`), banner, 'CONNECT')

  const metricsRequests = ['HEAD /metrics', 'GET /', 'POST /metrics'].map(
    (first) => `${first} HTTP/1.1\r\n${close}\r\n`,
  )
  for (const bytes of [...metricsRequests, 'nonsense\r\n\r\n']) {
    const text = await rawText(metricsPort, bytes)
    t.match(text, /^HTTP\/1\.1 4\d\d /, 'the metrics port answers with 4xx')
    t.notMatch(text, banner, `${bytes.slice(0, 14)} on the metrics port`)
  }
  const metrics = await rawText(metricsPort, `GET /metrics HTTP/1.1\r\n${close}\r\n`)
  t.match(metrics, /^HTTP\/1\.1 200 /)
  t.notMatch(metrics.slice(0, metrics.indexOf('\r\n\r\n')), banner, 'the headers of GET /metrics')
})
