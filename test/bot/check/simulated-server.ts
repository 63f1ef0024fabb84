import type { Observation, Value, Write } from '../../../bot/history/operation.ts'
import { authorOf, lists, postOf, registers } from '../../../bot/history/registers.ts'
import { pick, type Random } from '../../../bot/random.ts'

export type SimulatedPost = { post: string; id: string; at: string; text: string; parent: string | undefined }

/** One atomic object: what a correct server looks like from outside. */
export class SimulatedServer {
  accounts = new Set<string>()
  posts = new Map<string, SimulatedPost>()
  reactions = new Map<string, Map<string, Value>>()
  follows = new Map<string, Set<string>>()

  likes = (post: string, value: Value) => [...(this.reactions.get(post)?.values() ?? [])].filter((v) => v === value)
  newestFirst = () => [...this.posts.values()].toReversed()
  replies = (post: string) => this.newestFirst().filter(({ parent }) => parent === post)
  postsOf = (account: string) => this.newestFirst().filter(({ post }) => authorOf(post) === account)
  roots = () => this.newestFirst().filter(({ parent }) => parent === undefined)
  followers = (account: string) => [...this.follows].filter(([, set]) => set.has(account)).map(([name]) => name)

  removeAccount(account: string): void {
    this.accounts.delete(account)
    for (const { post } of this.postsOf(account)) this.removePost(post)
    for (const reactions of this.reactions.values()) reactions.delete(account)
    for (const set of this.follows.values()) set.delete(account)
    this.follows.delete(account)
  }

  removePost(post: string): void {
    this.posts.delete(post)
    this.reactions.delete(post)
  }
}

/** A copy, for writes that are to leave no trace. */
export function copyOf(server: SimulatedServer): SimulatedServer {
  const copy = new SimulatedServer()
  copy.accounts = new Set(server.accounts)
  copy.posts = new Map([...server.posts].map(([key, post]) => [key, { ...post }]))
  copy.reactions = new Map([...server.reactions].map(([key, reactions]) => [key, new Map(reactions)]))
  copy.follows = new Map([...server.follows].map(([key, set]) => [key, new Set(set)]))
  return copy
}

export type Request = {
  action: string
  writes: Write[]
  apply: (server: SimulatedServer) => { status: number; seen: Observation[] }
}

/** The requests of a robot, with random contents. `known` gets each new post. */
export function requestsOf(random: Random, known: string[]) {
  const nextNumber = new Map<string, number>()
  let lastId = 0

  const createPost = (name: string): Request => {
    const number = nextNumber.get(name) ?? 0
    nextNumber.set(name, number + 1)
    const post = postOf(name, number)
    const parent = known.length > 0 && random() < 0.4 ? pick(random, known) : undefined
    const text = `${number}. text`
    known.push(post)
    return {
      action: 'create',
      writes: [
        { register: registers.post(post), value: true, ...(parent && { parent }) },
        { register: registers.text(post), value: text },
      ],
      apply(server) {
        if (!server.accounts.has(name)) return { status: 401, seen: [] }
        if (parent && !server.posts.has(parent)) return { status: 400, seen: [] }
        lastId += 1
        const [id, at] = [String(lastId).padStart(6, '0'), String(Math.floor(lastId / 3)).padStart(6, '0')]
        server.posts.set(post, { post, id, at, text, parent })
        return { status: 201, seen: [{ placed: post, id, at }] }
      },
    }
  }
  const gone = (post: string) => ({ status: 404, seen: [{ register: registers.post(post), value: false }] })
  const onPost = (
    name: string,
    action: string,
    post: string,
    writes: Write[],
    act: (server: SimulatedServer, found: SimulatedPost) => Observation[],
  ): Request => ({
    ...{ action, writes },
    apply(server) {
      if (!server.accounts.has(name)) return { status: 401, seen: [] }
      const found = server.posts.get(post)
      return found ? { status: 200, seen: act(server, found) } : gone(post)
    },
  })
  const counts = (server: SimulatedServer, post: string): Observation[] => [
    { count: lists.likes(post), value: server.likes(post, 'like').length },
    { count: lists.dislikes(post), value: server.likes(post, 'dislike').length },
    { count: lists.replies(post), value: server.replies(post).length },
  ]
  const react = (name: string, post: string): Request => {
    const value = pick(random, ['like', 'dislike', null] as const)
    return onPost(name, 'react', post, [{ register: registers.reaction(name, post), value }], (server) => {
      const reactions = server.reactions.get(post) ?? new Map()
      server.reactions.set(post, reactions)
      if (value) reactions.set(name, value)
      else reactions.delete(name)
      return counts(server, post)
    })
  }
  const edit = (name: string, post: string): Request => {
    const text = `${post} as edited ${random()}`
    return onPost(name, 'edit', post, [{ register: registers.text(post), value: text }], (_server, found) => {
      found.text = text
      return []
    })
  }
  const remove = (name: string, post: string): Request =>
    onPost(name, 'delete', post, [{ register: registers.post(post), value: false }], (server) => {
      server.removePost(post)
      return []
    })
  const follow = (name: string, other: string): Request => {
    const value = random() < 0.7
    return {
      action: 'follow',
      writes: [{ register: registers.follow(name, other), value }],
      apply(server) {
        if (!server.accounts.has(name)) return { status: 401, seen: [] }
        if (!server.accounts.has(other)) return { status: 404, seen: [] }
        const set = server.follows.get(name) ?? new Set()
        server.follows.set(name, set)
        if (value) set.add(other)
        else set.delete(other)
        return { status: 204, seen: [] }
      },
    }
  }
  const readPost = (name: string, post: string): Request => ({
    ...{ action: 'read post', writes: [] },
    apply(server) {
      const found = server.posts.get(post)
      if (!found) return gone(post)
      const seen = [
        { register: registers.post(post), value: true },
        { register: registers.text(post), value: found.text },
        ...counts(server, post),
      ]
      const viewer = { register: registers.reaction(name, post), value: server.reactions.get(post)?.get(name) ?? null }
      return { status: 200, seen: server.accounts.has(name) ? [...seen, viewer] : seen }
    },
  })
  const readProfile = (name: string, other: string): Request => ({
    ...{ action: 'read profile', writes: [] },
    apply(server) {
      if (!server.accounts.has(other))
        return { status: 404, seen: [{ register: registers.account(other), value: false }] }
      return {
        status: 200,
        seen: [
          { register: registers.account(other), value: true },
          { count: lists.posts(other), value: server.postsOf(other).length },
          { count: lists.followers(other), value: server.followers(other).length },
          { count: lists.following(other), value: server.follows.get(other)?.size ?? 0 },
          ...(server.accounts.has(name)
            ? [{ register: registers.follow(name, other), value: server.follows.get(name)?.has(other) ?? false }]
            : []),
        ],
      }
    },
  })

  const reactions = (post: string, since: number): Request => ({
    ...{ action: 'list', writes: [] },
    apply(server) {
      if (!server.posts.has(post)) return gone(post)
      const given = [...(server.reactions.get(post) ?? [])]
      const values = given.map(([name, value]) => ({ register: registers.reaction(name, post), value }))
      const items = given.map(([key]) => ({ key }))
      return { status: 200, seen: [...values, { list: lists.reactions(post), items, since, complete: true }] }
    },
  })
  const followers = (account: string, since: number): Request => ({
    ...{ action: 'list', writes: [] },
    apply(server) {
      if (!server.accounts.has(account)) return { status: 404, seen: [] }
      const items = server.followers(account).map((key) => ({ key }))
      return { status: 200, seen: [{ list: lists.followers(account), items, since, complete: true }] }
    },
  })
  return { createPost, react, edit, remove, follow, readPost, readProfile, reactions, followers }
}
