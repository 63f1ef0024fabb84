import type { Post } from '../api-schemas.ts'
import { numberOf } from '../content.ts'
import type { Observation } from '../history/operation.ts'
import { authorOf, postOf } from '../history/registers.ts'

/** A post of an answer: its name in the history, and what its mere presence says. */
export type Resolved = { key: string; isOfRun: boolean; observations: Observation[] }

type Announced = { parent: string | null; id: string | null }

/** The accounts and posts of a run: which post of the server is which of the plan. */
export class Directory {
  readonly #accounts = new Set<string>()
  /** By name: every post that a robot has asked for. */
  readonly #posts = new Map<string, Announced>()
  readonly #names = new Map<string, string>()
  /** In the order in which they became known. */
  readonly known: string[] = []
  readonly #joined = new Set<string>()
  readonly #finished = new Set<string>()
  /** Posts whose creation has ended, with or without success. */
  readonly #tried = new Set<string>()
  #waiting = new Map<string, (() => void)[]>()

  addAccount(username: string): void {
    this.#accounts.add(username)
  }

  /** The account exists from here on. */
  join(username: string): void {
    this.#joined.add(username)
    this.#resume(username)
  }

  /** Resolves to whether the account has come to exist; false only when its robot has finished without it. */
  async whenJoined(username: string): Promise<boolean> {
    if (!this.#joined.has(username)) await this.#wait(username, username)
    return this.#joined.has(username)
  }

  isOfRun(username: string): boolean {
    return this.#accounts.has(username)
  }

  /** The post is about to be created. */
  announce(post: string, parent: string | null): void {
    if (!this.#posts.has(post)) this.#posts.set(post, { parent, id: null })
  }

  get posts(): Iterable<string> {
    return this.#posts.keys()
  }

  idOf(post: string): string | null {
    return this.#posts.get(post)?.id ?? null
  }

  nameOf(id: string): string | undefined {
    return this.#names.get(id)
  }

  parentOf(post: string): string | null {
    return this.#posts.get(post)?.parent ?? null
  }

  /** Of a robot that creates no more posts, nothing is awaited. */
  finish(author: string): void {
    this.#finished.add(author)
    for (const awaited of this.#waiting.keys())
      if (awaited === author || awaited.startsWith(`${author}/`)) this.#resume(awaited)
  }

  /** If its creation has failed, two robots could wait for each other's posts, or one for its own. */
  tried(post: string): void {
    this.#tried.add(post)
    this.#resume(post)
  }

  /** The id of a post that a robot creates sooner or later, or null if it never does. */
  async whenKnown(post: string): Promise<string | null> {
    if (this.idOf(post) === null && !this.#tried.has(post)) await this.#wait(post, authorOf(post))
    return this.idOf(post)
  }

  /** Learns of the post, if its creation has had no answer yet; a second post for one creation is a contradiction. */
  resolve({ id, author, text, createdAt, replyTo }: Post): Resolved {
    if (!this.#accounts.has(author.username)) return { key: id, isOfRun: false, observations: [] }
    const known = this.#names.get(id)
    if (known !== undefined) return { key: known, isOfRun: true, observations: this.#contradictions(known, replyTo) }
    const number = numberOf(text)
    const key = number === null ? null : postOf(author.username, number)
    const announced = key === null ? undefined : this.#posts.get(key)
    if (key === null || !announced) return unknown(`${author.username}/${id}`, 'a post that its author created', id)
    if (announced.id !== null) return unknown(`${key}-${id}`, `one post, ${announced.id}`, `another, ${id}`)
    announced.id = id
    this.#names.set(id, key)
    this.known.push(key)
    this.#resume(key)
    return {
      key,
      isOfRun: true,
      observations: [{ placed: key, id, at: createdAt }, ...this.#contradictions(key, replyTo)],
    }
  }

  async #wait(awaited: string, author: string): Promise<void> {
    if (this.#finished.has(author)) return
    await new Promise<void>((resolve) => this.#waiting.set(awaited, [...(this.#waiting.get(awaited) ?? []), resolve]))
  }

  #resume(awaited: string): void {
    for (const resume of this.#waiting.get(awaited) ?? []) resume()
    this.#waiting.delete(awaited)
  }

  #contradictions(post: string, replyTo: string | null): Observation[] {
    const parent = this.parentOf(post)
    const expected = parent === null ? null : this.idOf(parent)
    if (replyTo === expected) return []
    const object = `replyTo:${post}`
    return [{ claim: 'R', object, expected: String(expected), seen: String(replyTo), holds: false }]
  }
}

function unknown(key: string, expected: string, seen: string): Resolved {
  return { key, isOfRun: true, observations: [{ claim: 'I', object: key, expected, seen, holds: false }] }
}
