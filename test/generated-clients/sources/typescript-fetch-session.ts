// Compiled and run beside ./client, which openapi-generator generates.
import {
  AccountsApi,
  Configuration,
  type Post,
  PostsApi,
  ReactionsApi,
  type ResponseError,
  SessionsApi,
} from './client'
import { cookieFetch } from './cookie-fetch'

declare const process: { argv: string[] }

const [, , basePath = '', username = '', password = ''] = process.argv
const configuration = new Configuration({ basePath, fetchApi: cookieFetch() })
const accounts = new AccountsApi(configuration)
const posts = new PostsApi(configuration)
const reactions = new ReactionsApi(configuration)
const sessions = new SessionsApi(configuration)

await accounts.createAccount({ createAccountRequest: { username, password } })
await sessions.createSession({ createSessionRequest: { username, password } })
const { id } = await posts.createPost({ createPostRequest: { text: 'From typescript-fetch' } })
await reactions.setReaction({ id, setReactionRequest: { value: 'like' } })
await reactions.setReaction({ id, setReactionRequest: { value: 'dislike' } })
await sessions.refreshSession()
const post: Post = await posts.readPost({ id })
const editedAt: Date | null = post.editedAt
const edited = await posts.editPost({ id, editPostRequest: { text: 'Edited' } })
const page = await posts.listPosts({ limit: 1 })
await sessions.endSession()
const status = await sessions.readSession().catch((error: ResponseError) => error.response.status)
const { reaction } = post.viewer ?? {}
console.log(
  JSON.stringify({ editedAt, isEdited: edited.editedAt instanceof Date, reaction, listed: page.items.length, status }),
)
