import type { z } from 'zod'
import * as schemas from '../api-schemas.ts'
import type { Answer, Call, CallResult } from '../client.ts'
import type { ListItem, Observation } from '../history/operation.ts'
import { lists, registers } from '../history/registers.ts'
import type { Directory } from './directory.ts'
import {
  accountItems,
  givenItems,
  type ItemKind,
  observeAccount,
  observePost,
  postItems,
  reactorItems,
} from './observe.ts'

/** Sends a call as the reader does: with a session or without, and with what it does when there is no answer. */
export type Send = (call: Call) => Promise<CallResult>

/** A list: as far as `pages` pages of `limit` items. */
export type Extent = { limit: number; pages: number }

const everything: Extent = { limit: 100, pages: Number.POSITIVE_INFINITY }
const aLook: Extent = { limit: 5, pages: 3 }

/** Reads as one reader, and observes what each answer says. `account` is null without a session. */
export class Reading {
  readonly directory: Directory
  readonly account: string | null
  #send: Send

  constructor(directory: Directory, account: string | null, send: Send) {
    this.directory = directory
    this.account = account
    this.#send = send
  }

  async post(post: string): Promise<void> {
    const id = this.directory.idOf(post)
    if (id === null) return
    await this.#send({
      ...{ action: 'read post', method: 'GET', path: `/v1/posts/${id}` },
      observe: (answer) => this.#observe(answer, schemas.post, registers.post(post), observePost),
    })
  }

  async profile(username: string): Promise<void> {
    await this.#send({
      ...{ action: 'read profile', method: 'GET', path: `/v1/accounts/${username}` },
      observe: (answer) => this.#observe(answer, schemas.account, registers.account(username), observeAccount),
    })
  }

  everyPost = (extent = aLook) => this.#list('read list', lists.everyPost, '/v1/posts', postItems, extent)

  timeline = (account: string, extent = aLook) =>
    this.#list('read timeline', lists.timeline(account), '/v1/timeline', postItems, extent)

  posts = (username: string, extent = aLook) =>
    this.#ofAccount('read list', lists.posts(username), username, 'posts', postItems, extent)

  followers = (username: string, extent = aLook) =>
    this.#ofAccount('read list', lists.followers(username), username, 'followers', accountItems, extent)

  following = (username: string, extent = aLook) =>
    this.#ofAccount('read list', lists.following(username), username, 'following', accountItems, extent)

  replies = (post: string, extent = aLook) => this.#ofPost(lists.replies(post), post, 'replies', postItems, extent)

  reactions = (post: string, extent = aLook) =>
    this.#ofPost(lists.reactions(post), post, 'reactions', reactorItems(post), extent)

  given = (account: string, extent = aLook) =>
    this.#list('read list', lists.given(account), '/v1/account/reactions', givenItems, extent)

  /** Every page of the lists of a post or an account. */
  async allOf(kind: 'post' | 'account', key: string): Promise<void> {
    const reads = kind === 'post' ? [this.replies, this.reactions] : [this.posts, this.followers, this.following]
    for (const read of reads) await read(key, everything)
  }

  /** Every page of what only the reader sees. */
  async allOfOwn(account: string): Promise<void> {
    await this.timeline(account, { limit: 100, pages: 10 })
    await this.given(account, everything)
  }

  #ofAccount<T extends z.ZodType>(
    action: string,
    list: string,
    username: string,
    name: string,
    kind: ItemKind<T>,
    extent: Extent,
  ) {
    const gone = registers.account(username)
    return this.#list(action, list, `/v1/accounts/${username}/${name}`, kind, extent, gone)
  }

  async #ofPost<T extends z.ZodType>(list: string, post: string, name: string, kind: ItemKind<T>, extent: Extent) {
    const id = this.directory.idOf(post)
    if (id !== null) await this.#list('read list', list, `/v1/posts/${id}/${name}`, kind, extent, registers.post(post))
  }

  /** `gone` is what does not exist if the answer is 404. */
  async #list<T extends z.ZodType>(
    action: string,
    list: string,
    path: string,
    kind: ItemKind<T>,
    { limit, pages }: Extent,
    gone?: string,
  ): Promise<void> {
    const items: ListItem[] = []
    let since: number | null = null
    let cursor: string | null = null
    for (let page = 1; page <= pages; page += 1) {
      let next: string | null = null
      // A page is answered twice if the first time the session was not valid.
      let onPage: ListItem[] = []
      const observe = (answer: Answer): Observation[] => {
        const read: { items: z.infer<T>[]; nextCursor: string | null } | null =
          answer.status === 200 ? (schemas.page(kind.schema).safeParse(answer.body).data ?? null) : null
        if (answer.status === 404 && gone) return [{ register: gone, value: false }]
        if (read === null) return []
        since ??= answer.sentAt
        next = read.nextCursor
        const observations = read.items.flatMap((item) => kind.observe(this, item, answer))
        onPage = read.items.map((item) => kind.toItem(this.directory, item))
        const ends = next === null || page === pages
        if (!ends) return observations
        return [...observations, { list, items: [...items, ...onPage], since, complete: next === null }]
      }
      const query: string = `?limit=${limit}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
      await this.#send({ action, method: 'GET', path: `${path}${query}`, observe })
      if (next === null) return
      items.push(...onPage)
      cursor = next
    }
  }

  #observe<T extends z.ZodType>(
    answer: Answer,
    schema: T,
    exists: string,
    observe: (reader: Reading, body: z.infer<T>, answer: Answer) => Observation[],
  ): Observation[] {
    if (answer.status === 404) return [{ register: exists, value: false }]
    const body = answer.status === 200 ? schema.safeParse(answer.body) : null
    return body?.success ? observe(this, body.data, answer) : []
  }
}
