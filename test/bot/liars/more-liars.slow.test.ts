import t from 'tap'
import { catchAll } from './catch-all.ts'
import { liars } from './liars.ts'

catchAll(t, liars.slice(10, 20))

// With an even seed, it counts one too many: what another account might have done.
catchAll(
  t,
  liars.filter(({ name }) => name === 'the answer to a reaction counts wrongly'),
  2,
)
