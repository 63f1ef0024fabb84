const folders = [
  'accounts',
  'activity',
  'analytics',
  'credentials',
  'follows',
  'http',
  'limits',
  'passkeys',
  'posts',
  'reactions',
  'sessions',
  'timeline',
]

/** Tests of what nginx does in front of the services, or of the inside of one server. */
const others = new Set([
  // Bytes on a connection, and malformed requests such as TRACE and %zz: nginx answers them itself.
  'accounts/usernames',
  'http/banners',
  'http/bodies',
  'http/connections',
  'http/every-error',
  'http/framing',
  'http/headers',
  'http/keep-alive',
  'http/methods',
  'http/order-of-checks',
  'http/pipelining',
  'http/slow-clients',
  'http/sockets',
  'http/tiny-chunks',
  'http/unread-bodies',
  'http/validation',
  // Tokens signed with JWT_SIGN_KEY, which posts refuses.
  'sessions/access-token',
  'sessions/jwks',
  'sessions/session-owners',
  // Which peer's X-Forwarded-For is trusted: here it is always nginx.
  'limits/proxies',
  'limits/requests-in-progress',
  'limits/sign-ups',
  // Counted in each process, and here each service is one.
  'limits/reads',
  // The inside of a server: its queues, its queries, its database as a whole.
  'accounts/delete-content',
  'credentials/password-queue',
  'http/departed-clients',
  'http/drain',
  'limits/page-turns',
  'sessions/revocation-reads',
])

/** Slow tests of routes: this one starts an operator's command many times. */
const slowRoutes = new Set(['accounts/reset-password.slow'])

/** Whether a test file of the HTTP API runs through the gateway, too. */
export function runsBehindGateway(file: string): boolean {
  const [, folder = '', name, slow] = /^test\/([\w-]+)\/([\w-]+(\.slow)?)\.test\.ts$/.exec(file) ?? []
  if (slow) return slowRoutes.has(`${folder}/${name}`)
  return folders.includes(folder) && !others.has(`${folder}/${name}`)
}
