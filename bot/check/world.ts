import type { Value } from '../history/operation.ts'
import { authorOf, initialValue, kindOf, lists, partsOf, registers } from '../history/registers.ts'
import { Collection, Member } from './collection.ts'
import { Register } from './register.ts'

const empty = new Collection()
const isTrue = (value: Value) => value === true
const isSome = (value: Value) => value !== null
const isLike = (value: Value) => value === 'like'
const isDislike = (value: Value) => value === 'dislike'

/** Every register and collection of a run, and which collections depend on which register. */
export class World {
  #registers = new Map<string, Register>()
  #collections = new Map<string, Collection>()
  /** Of posts, by what they reply to; absent for other posts. */
  #parents = new Map<string, string>()
  /** By register: what to update when it changes. */
  #members = new Map<Register, Member[]>()
  /** By account: what ends with it. */
  #owned = new Map<string, Set<Register>>()
  /** By author and for all: the posts that are no replies, in the order of their creation. */
  #roots = new Map<string, Member[]>()
  readonly everyRoot: Member[] = []

  find(name: string): Register | undefined {
    return this.#registers.get(name)
  }

  /** To read: most posts have no reactions and no replies, and all of their collections are one. */
  collection(name: string): Collection {
    return this.#collections.get(name) ?? empty
  }

  register(name: string, parent?: string): Register {
    const known = this.#registers.get(name)
    if (known) return known
    const register = new Register(name, initialValue(name))
    this.#registers.set(name, register)
    this.#connect(register, parent)
    return register
  }

  /** The members that depend on a register. */
  membersOf(register: Register): readonly Member[] {
    return this.#members.get(register) ?? []
  }

  /** The registers that the deletion of an account sets back to their initial values. */
  ownedBy(account: string): ReadonlySet<Register> {
    return this.#owned.get(account) ?? new Set()
  }

  isAccount(name: string): boolean {
    return this.#registers.has(registers.account(name))
  }

  parentOf(post: string): string | undefined {
    return this.#parents.get(post)
  }

  post(post: string): Member | undefined {
    return this.#collections.get(lists.posts(authorOf(post)))?.members.get(post)
  }

  rootsOf(account: string): readonly Member[] {
    return this.#roots.get(account) ?? []
  }

  /** The place of a post in lists is known from here on. */
  place(post: string, position: { at: string; id: string }): void {
    const member = this.post(post)
    if (!member || member.position) return
    member.position = position
    if (this.#parents.has(post)) return
    insertByPosition(this.everyRoot, member)
    const author = authorOf(post)
    const ofAuthor = this.#roots.get(author) ?? []
    this.#roots.set(author, ofAuthor)
    insertByPosition(ofAuthor, member)
  }

  openRegisters(): number {
    return [...this.#registers.values()].filter((register) => register.isOpen()).length
  }

  #collectionToFill(name: string): Collection {
    const known = this.#collections.get(name)
    if (known) return known
    const collection = new Collection()
    this.#collections.set(name, collection)
    return collection
  }

  #connect(register: Register, parent: string | undefined): void {
    const [writer, object] = partsOf(register.name)
    const collection = (name: string) => this.#collectionToFill(name)
    switch (kindOf(register.name)) {
      case 'post': {
        const author = authorOf(writer)
        if (parent) this.#parents.set(writer, parent)
        const inLists = [collection(lists.posts(author)), ...(parent ? [collection(lists.replies(parent))] : [])]
        this.#add(writer, [{ register, holds: isTrue }], inLists)
        this.#own(author, register)
        break
      }
      case 'reaction': {
        const post = this.register(registers.post(object))
        this.#add(writer, [{ register, holds: isLike }], [collection(lists.likes(object))])
        this.#add(writer, [{ register, holds: isDislike }], [collection(lists.dislikes(object))])
        this.#add(writer, [{ register, holds: isSome }], [collection(lists.reactions(object))])
        const conditions = [{ register, holds: isSome } as const, { register: post, holds: isTrue } as const]
        this.#add(object, conditions, [collection(lists.given(writer))])
        this.#own(writer, register)
        break
      }
      case 'follow': {
        const followed = this.register(registers.account(object))
        this.#add(writer, [{ register, holds: isTrue }], [collection(lists.followers(object))])
        const conditions = [{ register, holds: isTrue } as const, { register: followed, holds: isTrue } as const]
        this.#add(object, conditions, [collection(lists.following(writer))])
        this.#own(writer, register)
        break
      }
      case 'recoveryCode':
        this.#add(object, [{ register, holds: isTrue }], [collection(lists.recoveryCodes(writer))])
    }
  }

  #add(key: string, conditions: ConstructorParameters<typeof Member>[1], collections: Collection[]): void {
    const member = new Member(key, conditions, collections)
    for (const { register } of conditions) {
      const members = this.#members.get(register) ?? []
      // Not `push`, which leaves room for 17 more in each array.
      this.#members.set(register, members.concat(member))
    }
  }

  #own(account: string, register: Register): void {
    const owned = this.#owned.get(account) ?? new Set()
    this.#owned.set(account, owned)
    owned.add(register)
  }
}

function insertByPosition(members: Member[], member: Member): void {
  const after = members.findLastIndex((other) => isNewer(member, other))
  members.splice(after + 1, 0, member)
}

/** Whether a member stands before another in lists that show the newest first. */
export function isNewer({ position: a }: Pick<Member, 'position'>, { position: b }: Pick<Member, 'position'>): boolean {
  if (!a || !b) return false
  return a.at === b.at ? a.id > b.id : a.at > b.at
}
