import type { Value } from './operation.ts'

/**
 * The names of registers, `kind:writer[:object]`, of counts and of lists. Accounts are named by their usernames, posts by
 * `author/number`: their ids are not known while they are created.
 */
export const registers = {
  account: (account: string) => `account:${account}`,
  displayName: (account: string) => `displayName:${account}`,
  bio: (account: string) => `bio:${account}`,
  post: (post: string) => `post:${post}`,
  text: (post: string) => `text:${post}`,
  reaction: (account: string, post: string) => `reaction:${account}:${post}`,
  follow: (account: string, followed: string) => `follow:${account}:${followed}`,
  secondFactor: (account: string) => `secondFactor:${account}`,
  /** Whether the code of this number serves. */
  recoveryCode: (account: string, number: number) => `recoveryCode:${account}:${number}`,
}

/** Those that are also counted: likes, dislikes, replies; posts, followers, following; recovery codes, which are in no list. */
export const lists = {
  likes: (post: string) => `likes:${post}`,
  dislikes: (post: string) => `dislikes:${post}`,
  reactions: (post: string) => `reactions:${post}`,
  replies: (post: string) => `replies:${post}`,
  posts: (account: string) => `posts:${account}`,
  followers: (account: string) => `followers:${account}`,
  following: (account: string) => `following:${account}`,
  given: (account: string) => `given:${account}`,
  timeline: (account: string) => `timeline:${account}`,
  recoveryCodes: (account: string) => `recoveryCodes:${account}`,
  everyPost: 'everyPost',
}

const absent: Record<string, Value> = {
  ...{ account: false, post: false, follow: false, secondFactor: false, recoveryCode: false },
}

/** The value before the first write, and after the writer's account is deleted. */
export function initialValue(register: string): Value {
  return absent[kindOf(register)] ?? null
}

export function kindOf(name: string): string {
  return name.slice(0, name.indexOf(':'))
}

/** The parts after the kind. */
export function partsOf(name: string): [string, string] {
  const [, first = '', second = ''] = name.split(':')
  return [first, second]
}

export const postOf = (author: string, number: number): string => `${author}/${number}`

export const authorOf = (post: string): string => post.slice(0, post.indexOf('/'))
