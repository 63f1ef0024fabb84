import t from 'tap'
import { catchAll } from './catch-all.ts'
import { liars } from './liars.ts'

catchAll(t, liars.slice(10))
