import { httpRequest } from '../load/plan.ts'
import { type Api, idOf, password } from './api.ts'

/** The paths and the cookie of Rookery, which the servers written for this benchmark share. */
export const pathsApi: Api = {
  signUp: (username) => [() => httpRequest('POST', '/v1/accounts', { body: { username, password } })],
  accountOf(username, [answer]) {
    const cookies = answer?.headers.getSetCookie().map((header) => header.split(';', 1)[0] ?? '')
    const cookie = cookies?.find((pair) => pair.startsWith('session='))
    if (!answer || cookie === undefined) throw new Error('the sign-up set no session cookie')
    return { id: idOf(answer), username, header: `cookie: ${cookie}` }
  },
  logIn: (username) => httpRequest('POST', '/v1/session', { body: { username, password } }),
  whoAmI: (viewer) => httpRequest('GET', '/v1/session', { header: viewer?.header }),
  createPost: (viewer, text) => httpRequest('POST', '/v1/posts', { header: viewer?.header, body: { text } }),
  readPost: (id, viewer) => httpRequest('GET', `/v1/posts/${id}`, { header: viewer?.header }),
  newestPosts: () => httpRequest('GET', '/v1/posts?limit=20'),
  react: (viewer, id, value) =>
    httpRequest('PUT', `/v1/posts/${id}/reaction`, { header: viewer?.header, body: { value } }),
}
