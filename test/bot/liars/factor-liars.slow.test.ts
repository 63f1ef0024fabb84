import t from 'tap'
import { catchAll } from './catch-all.ts'
import { factorLiars } from './factor-liars.ts'

catchAll(t, factorLiars)
