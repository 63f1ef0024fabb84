/** An account, and the header that names its session. */
export type TestAccount = { id: string; username: string; header: string }

/** A response, with its body parsed. */
export type Answer = { headers: Headers; body: unknown }

/** How the load speaks to a server: complete HTTP/1.1 requests, in which a post's id can be a slot (load/plan.ts). */
export type Api = {
  /** The requests that make an account and its session, each made from the answers to those before it. */
  signUp(username: string): ((answers: readonly Answer[]) => string)[]
  /** The account, from the answers to these. */
  accountOf(username: string, answers: readonly Answer[]): TestAccount
  logIn(username: string): string
  whoAmI(viewer: TestAccount | undefined): string
  createPost(viewer: TestAccount | undefined, text: string): string
  readPost(id: string, viewer?: TestAccount): string
  newestPosts(): string
  react(viewer: TestAccount | undefined, id: string, value: string): string
}

export const password = 'three blind mice sing 7 songs'

/** The member `id` of a body. @throws Error if it has none */
export function idOf({ body }: Answer): string {
  if (typeof body === 'object' && body !== null && 'id' in body) return String(body.id)
  throw new Error('a response has no id')
}
