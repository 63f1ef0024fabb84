// Compiled and run beside ./api.d.ts, which openapi-typescript generates.
import createClient from 'openapi-fetch'
import type { components, paths } from './api.d.ts'
import { cookieFetch } from './cookie-fetch.ts'

declare const process: { argv: string[] }

const [, , baseUrl = '', username = '', password = ''] = process.argv
const client = createClient<paths>({ baseUrl, fetch: cookieFetch() })
const seen: [string, number][] = []
const step = <Result extends { response: Response }>(name: string, result: Result): Result => {
  seen.push([name, result.response.status])
  return result
}

// @ts-expect-error: a sign-up needs a password
step('sign up without a password', await client.POST('/v1/accounts', { body: { username } }))
step('sign up', await client.POST('/v1/accounts', { body: { username, password } }))
step('log in', await client.POST('/v1/session', { body: { username, password } }))
const { data: post } = step('post', await client.POST('/v1/posts', { body: { text: 'From openapi-fetch' } }))
if (!post) throw new Error('no post')
const params = { path: { id: post.id } }
step('like', await client.PUT('/v1/posts/{id}/reaction', { params, body: { value: 'like' } }))
step('dislike', await client.PUT('/v1/posts/{id}/reaction', { params, body: { value: 'dislike' } }))
step('refresh', await client.POST('/v1/session/refresh'))
const { data } = step('read', await client.GET('/v1/posts/{id}', { params }))
const editedAt: string | null | undefined = data?.editedAt
const reaction: 'like' | 'dislike' | null | undefined = data?.viewer?.reaction
step('log out', await client.DELETE('/v1/session'))
const refused = step('refused', await client.GET('/v1/session'))
const problem: components['schemas']['Problem'] | undefined = refused.error
console.log(JSON.stringify({ seen, editedAt, reaction, code: problem?.code }))
