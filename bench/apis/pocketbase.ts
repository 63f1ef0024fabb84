import { httpRequest } from '../load/plan.ts'
import { type Api, idOf, password } from './api.ts'

const users = '/api/collections/users'
const posts = '/api/collections/posts/records'
const emailOf = (username: string) => `${username}@example.com`

function tokenOf(body: unknown): string {
  if (typeof body === 'object' && body !== null && 'token' in body) return String(body.token)
  throw new Error('the login returned no token')
}

const logIn = (username: string) =>
  httpRequest('POST', `${users}/auth-with-password`, { body: { identity: emailOf(username), password } })

/** PocketBase's own API, and the two routes of peers/pocketbase/main.go. As its own pages do, it expands authors. */
export const pocketbaseApi: Api = {
  signUp: (username) => [
    () =>
      httpRequest('POST', `${users}/records`, {
        body: { email: emailOf(username), name: username, password, passwordConfirm: password },
      }),
    () => logIn(username),
  ],
  accountOf(username, [created, loggedIn]) {
    if (!created || !loggedIn) throw new Error('the sign-up has no answers')
    return { id: idOf(created), username, header: `authorization: ${tokenOf(loggedIn.body)}` }
  },
  logIn,
  whoAmI: (viewer) => httpRequest('GET', '/api/me', { header: viewer?.header }),
  createPost: (viewer, text) =>
    httpRequest('POST', `${posts}?expand=author`, { header: viewer?.header, body: { text, author: viewer?.id } }),
  readPost: (id, viewer) => httpRequest('GET', `${posts}/${id}?expand=author`, { header: viewer?.header }),
  newestPosts: () => httpRequest('GET', `${posts}?sort=-created&perPage=20&skipTotal=1&expand=author`),
  react: (viewer, id, value) =>
    httpRequest('PUT', `/api/posts/${id}/reaction`, { header: viewer?.header, body: { value } }),
}
