import packageJson from '../../../package.json' with { type: 'json' }

const description = `${packageJson.description}

**Sessions.** Sign up or log in, and the response sets cookies; a client that keeps cookies needs nothing else. They are
HttpOnly, so no script and no header field can carry the tokens. An access token expires after 15 minutes: refresh the
session then.

**Errors** are problem details (RFC 9457); \`code\` identifies the kind. A URL answers 405 with \`Allow\` to a method that
it does not support.

**Limits.** Responses describe them in \`RateLimit\` and \`RateLimit-Policy\`; a 429 says in \`Retry-After\` when to try
again.`

export const info = {
  title: 'Rookery',
  version: packageJson.version,
  description,
  license: { name: 'MIT', identifier: 'MIT' },
}

/** In the order in which a new client needs them. */
export const tags = [
  { name: 'accounts', description: 'Sign up, and manage your account.' },
  { name: 'sessions', description: 'Log in and out, refresh and confirm a session.' },
  { name: 'passkeys', description: 'Log in and confirm with a passkey, and manage yours.' },
  { name: 'second factor', description: 'Enrol an authenticator app, and get recovery codes.' },
  { name: 'posts', description: 'Write, read, edit and delete posts and replies.' },
  { name: 'reactions', description: 'Like and dislike posts.' },
  { name: 'follows', description: 'Follow accounts.' },
  { name: 'analytics', description: 'Count reactions.' },
  { name: 'operations', description: 'What the service itself tells: its health, its keys, this document.' },
]

/** Relative to the document, so that it holds behind any gateway and for every origin of the server. */
export const servers = [{ url: '/', description: 'The server that this document is from.' }]
