/** The API's answers, as far as the page reads them: docs/api.md. */

export type Reaction = 'like' | 'dislike'

export type Counts = { likes: number; dislikes: number; replies: number }

export type Author = { id: string; username: string; displayName: string }

export type Post = {
  id: string
  author: Author
  text: string
  createdAt: string
  editedAt: string | null
  replyTo: string | null
  counts: Counts
  viewer: { reaction: Reaction | null } | null
}

export type Account = Author & {
  bio: string
  createdAt: string
  counts: { posts: number; followers: number; following: number }
  viewer: { following: boolean } | null
}

export type Session = {
  id: string
  current: boolean
  createdAt: string
  lastSeenAt: string
  expiresAt: string
  ip: string
  userAgent: string
}

export type Activity = { at: string; event: string; ip: string; userAgent: string; count?: number }

export type Passkey = {
  id: string
  name: string
  createdAt: string
  lastUsedAt: string | null
  backedUp: boolean
}

export type SecondFactor = {
  totp: { enrolledAt: string; lastUsedAt: string | null } | null
  recoveryCodesLeft: number
}

export type Enrolment = { secret: string; uri: string; qrCode: string }

export type Device = {
  id: string
  name: string
  current: boolean
  firstSeenAt: string
  firstIp: string
  lastUsedAt: string
  trustedUntil: string | null
}

export type Email = { email: string | null; verifiedAt: string | null; pending: string | null }

export type Page<Item> = { items: Item[]; nextCursor: string | null }

export type PulseCounts = { requests: number; errors: number; posts: number; reactions: number; p95Ms: number | null }

export type Pulse = { items: (PulseCounts & { at: string })[]; total: PulseCounts }

export type Fault = { pointer: string; detail: string }

export type PostPatch = Partial<Omit<Post, 'id' | 'counts'>> & { counts?: Partial<Counts> }

/** What the tabs of one browser tell each other. */
export type TabMessage = { kind: 'session' } | { kind: 'post'; id: string; patch: PostPatch }

/** A part of the page that a route shows. */
export type View = { title: string; element: HTMLElement; close?: () => void }
