import type { PostRef, Reaction } from '../plan.ts'

/** What a person comes for; reading comes with it. */
export type Step =
  | { kind: 'browse' }
  | { kind: 'post'; number: number }
  | { kind: 'reply'; number: number; parent: PostRef }
  | { kind: 'react'; post: PostRef; value: Reaction | null }
  | { kind: 'follow'; target: number; follows: boolean }
  | { kind: 'edit'; number: number; version: number }
  | { kind: 'delete'; number: number }
  | { kind: 'profile' }
  | { kind: FactorStep }
  | { kind: Habit }

/**
 * What one robot in ten does: takes its second device's session away, logs out and in again, changes its password, mistypes
 * it, tries to change a post of another author, comes back with an expired session, opens two tabs that refresh at once,
 * has an old refresh token shown by a thief, exports its data.
 */
export const habits = ['device', 'logout', 'password', 'typo', 'trespass', 'return', 'tabs', 'reuse', 'export'] as const

export type Habit = (typeof habits)[number]

/** What a robot with a second factor does: enrols an app, uses its codes, and perhaps removes it. */
export type FactorStep = 'enrol' | 'use codes' | 'remove factor'
