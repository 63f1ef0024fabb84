/** For the OpenAPI document. */
export const responseHeaders = {
  'clear-site-data': {
    description: 'Makes a browser forget what it has stored of this origin.',
    example: '"cache", "storage"',
  },
  'content-disposition': {
    description: 'The name of the file.',
    example: 'attachment; filename="rookery-robin_example.ndjson"',
  },
  etag: { description: 'The entity tag, for If-None-Match.', example: '"yV3n0mOZ1vT8rD4w2dQm3bF0aJc7sXh5pLkE6gUu9iA"' },
  'idempotency-replayed': {
    description: '`true` when an earlier request with this Idempotency-Key created the post.',
    example: 'true',
  },
  location: { description: 'The path of what was created.', example: '/v1/posts/019ab0f2-7d31-7c44-9a5e-2f6b8c1d0e37' },
  ratelimit: {
    description: 'What remains of the limit (draft-ietf-httpapi-ratelimit-headers-10).',
    example: '"writes";r=999;t=900',
  },
  'ratelimit-policy': {
    description: 'The limit and its window in seconds (draft-ietf-httpapi-ratelimit-headers-10).',
    example: '"writes";q=1000;w=900',
  },
  'retry-after': { description: 'After how many seconds to try again.', example: '2' },
  'rookery-session': {
    description: '`invalid` when the session cookie is not valid and counts as none.',
    example: 'invalid',
  },
  'set-cookie': {
    description:
      'Sets or clears the HttpOnly cookies of the session: the access token, the refresh token, the known device, and the challenge of a passkey. A client stores and sends them as a browser does.',
    example: 'session=eyJhbGciOiJIUzI1NiJ9…; Max-Age=900; Path=/; HttpOnly; SameSite=Lax',
  },
  vary: { description: 'The request headers that the response depends on.', example: 'Accept, Accept-Encoding' },
  'www-authenticate': { description: 'The challenge: log in for a cookie.', example: 'Cookie realm="rookery"' },
  'x-request-id': {
    description: 'Identifies the request in the server’s log.',
    example: '019ab0f2-7d31-7c44-9a5e-2f6b8c1d0e37',
  },
} as const satisfies Record<string, { description: string; example: string }>

export type ResponseHeader = keyof typeof responseHeaders
