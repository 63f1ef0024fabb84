const folders = [
  'accounts',
  'activity',
  'analytics',
  'credentials',
  'follows',
  'http',
  'limits',
  'posts',
  'reactions',
  'sessions',
  'timeline',
]

/** Tests of what nginx does in front of the services, or of a server's inside. */
const others = new Set([
  // Bytes on a connection: nginx is the peer, and answers malformed requests itself.
  'http/banners',
  'http/bodies',
  'http/framing',
  'http/headers',
  'http/keep-alive',
  'http/pipelining',
  'http/slow-clients',
  'http/sockets',
  // Tokens signed with JWT_SIGN_KEY, which posts refuses.
  'sessions/access-token',
  'sessions/jwks',
  // Which peer's X-Forwarded-For is trusted: here it is always nginx.
  'limits/proxies',
])

/** Whether a test file of the HTTP API runs through the gateway, too. */
export function runsBehindGateway(file: string): boolean {
  const [, folder = '', name] = /^test\/([\w-]+)\/([\w-]+)\.test\.ts$/.exec(file) ?? []
  return folders.includes(folder) && !others.has(`${folder}/${name}`)
}
