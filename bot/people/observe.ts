import type { z } from 'zod'
import * as schemas from '../api-schemas.ts'
import type { Answer } from '../client.ts'
import type { ListItem, Observation } from '../history/operation.ts'
import { lists, registers } from '../history/registers.ts'
import type { Directory } from './directory.ts'

/** Who reads: `account` is null without a session. */
export type ReaderOf = { directory: Directory; account: string | null }

/** Everything that a post in an answer says. */
export function observePost(
  reader: ReaderOf,
  post: schemas.Post,
  answer: Pick<Answer, 'isSessionInvalid'>,
): Observation[] {
  const { key, isOfRun, observations } = reader.directory.resolve(post)
  if (!isOfRun || observations.some((one) => 'claim' in one && one.claim === 'I')) return observations
  return [
    ...observations,
    { register: registers.post(key), value: true },
    { register: registers.text(key), value: post.text },
    { register: registers.displayName(post.author.username), value: post.author.displayName },
    { count: lists.likes(key), value: post.counts.likes },
    { count: lists.dislikes(key), value: post.counts.dislikes },
    { count: lists.replies(key), value: post.counts.replies },
    ...observeViewer(reader, `the viewer of ${key}`, post.viewer, answer, (account, { reaction }) => ({
      register: registers.reaction(account, key),
      value: reaction,
    })),
  ]
}

export function observeAccount(
  reader: ReaderOf,
  account: schemas.Account,
  answer: Pick<Answer, 'isSessionInvalid'>,
): Observation[] {
  const { username, counts } = account
  if (!reader.directory.isOfRun(username)) return []
  return [
    { register: registers.account(username), value: true },
    { register: registers.displayName(username), value: account.displayName },
    { register: registers.bio(username), value: account.bio },
    { count: lists.posts(username), value: counts.posts },
    { count: lists.followers(username), value: counts.followers },
    { count: lists.following(username), value: counts.following },
    ...observeViewer(reader, `the viewer of ${username}`, account.viewer, answer, (viewer, { following }) => ({
      register: registers.follow(viewer, username),
      value: following,
    })),
  ]
}

/** An answer to a request with a session has a viewer, unless it says that the session is not valid. */
function observeViewer<Viewer>(
  { account }: ReaderOf,
  object: string,
  viewer: Viewer | null,
  { isSessionInvalid }: Pick<Answer, 'isSessionInvalid'>,
  read: (account: string, viewer: Viewer) => Observation,
): Observation[] {
  if (account === null || isSessionInvalid) return []
  if (viewer !== null) return [read(account, viewer)]
  return [{ claim: 'R', object, expected: account, seen: 'null', holds: false }]
}

/** What items say, and how the list shows them. */
export type ItemKind<T extends z.ZodType> = {
  schema: T
  observe: (reader: ReaderOf, item: z.infer<T>, answer: Answer) => Observation[]
  toItem: (directory: Directory, item: z.infer<T>) => ListItem
}

export const postItems: ItemKind<typeof schemas.post> = {
  schema: schemas.post,
  observe: observePost,
  toItem: (directory, post) => ({ key: directory.resolve(post).key, at: post.createdAt, id: post.id }),
}

export const accountItems: ItemKind<typeof schemas.account> = {
  schema: schemas.account,
  observe: observeAccount,
  toItem: (_directory, { username }) => ({ key: username }),
}

/** The reactions to one post. */
export const reactorItems = (post: string): ItemKind<typeof schemas.reactor> => ({
  schema: schemas.reactor,
  observe: ({ directory }, { account: { username, displayName }, value }) =>
    directory.isOfRun(username)
      ? [
          { register: registers.reaction(username, post), value },
          { register: registers.displayName(username), value: displayName },
        ]
      : [],
  toItem: (_directory, { account, reactedAt }) => ({ key: account.username, at: reactedAt }),
})

/** The reactions of the reader. */
export const givenItems: ItemKind<typeof schemas.given> = {
  schema: schemas.given,
  observe: (reader, { post }, answer) => observePost(reader, post, answer),
  toItem: (directory, { post, reactedAt }) => ({ key: directory.resolve(post).key, at: reactedAt }),
}
