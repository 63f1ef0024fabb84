import { contentLiars } from './content-liars.ts'
import { factorLiars } from './factor-liars.ts'
import type { Liar } from './liar.ts'
import { sessionLiars } from './session-liars.ts'

export const liars: readonly Liar[] = [...contentLiars, ...sessionLiars, ...factorLiars]
