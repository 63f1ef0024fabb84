import t from 'tap'
import { catchAll } from './catch-all.ts'
import { liars } from './liars.ts'

t.equal(liars.length, 26)
catchAll(t, liars.slice(0, 10))
