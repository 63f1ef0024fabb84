import fc from 'fast-check'
import type { Test } from 'tap'
import type { Observation, Rule } from '../../../bot/history/operation.ts'
import { type Lies, simulate } from './simulation.ts'

const anySeed = fc.integer({ min: 0, max: 2 ** 31 })
const always = (action: string) => (acted: string) => acted !== action

const mapEach = (change: (observation: Observation) => Observation) => (observations: Observation[]) =>
  observations.map(change)

const mutations: [string, Rule[], Lies][] = [
  ['a reaction is acknowledged and lost', ['R', 'C', 'S'], { applies: always('react') }],
  ['an edit is acknowledged and lost', ['R'], { applies: always('edit') }],
  ['a follow is acknowledged and lost', ['R', 'C', 'S'], { applies: always('follow') }],
  ['a deletion is acknowledged and lost', ['R', 'C', 'S'], { applies: always('delete') }],
  [
    'a reaction takes effect after its answer',
    ['R', 'C', 'S'],
    { delayMs: (action) => (action === 'react' ? 300 : 0) },
  ],
  [
    'counts are one too high',
    ['C'],
    { observations: mapEach((o) => ('count' in o ? { ...o, value: o.value + 1 } : o)) },
  ],
  [
    'counts are one too low',
    ['C'],
    { observations: mapEach((o) => ('count' in o ? { ...o, value: o.value - 1 } : o)) },
  ],
  [
    'a list leaves an item out',
    ['S'],
    { observations: mapEach((o) => ('list' in o ? { ...o, items: o.items.slice(1) } : o)) },
  ],
  [
    'a list shows an item twice',
    ['S'],
    { observations: mapEach((o) => ('list' in o ? { ...o, items: [...o.items, ...o.items.slice(-1)] } : o)) },
  ],
  [
    'a list is out of order',
    ['S'],
    { observations: mapEach((o) => ('list' in o ? { ...o, items: o.items.toReversed() } : o)) },
  ],
  [
    'a list shows a post that no robot created',
    ['S'],
    {
      observations: mapEach((o) =>
        'list' in o && !o.list.startsWith('followers') ? { ...o, items: [{ key: 'robot0/999' }, ...o.items] } : o,
      ),
    },
  ],
  [
    'a text loses its end',
    ['R'],
    {
      observations: mapEach((o) =>
        'register' in o && typeof o.value === 'string' && o.register.startsWith('text')
          ? { ...o, value: o.value.slice(0, -1) }
          : o,
      ),
    },
  ],
  [
    'posts vanish',
    ['R', 'C', 'S'],
    {
      afterApply: (action, server) => {
        if (action === 'edit') server.posts.clear()
      },
    },
  ],
  [
    'reactions vanish',
    ['R', 'C', 'S'],
    {
      afterApply: (action, server) => {
        if (action === 'edit') server.reactions.clear()
      },
    },
  ],
]

/** `runs` is the number of honest servers, `seeds` that of the runs of each mutation. */
export function testProperties(t: Test, { runs, seeds }: { runs: number; seeds: number }): void {
  t.test('a linearizable server causes no finding, whatever is lost, late, refused or deleted', async (t) => {
    fc.assert(
      fc.property(anySeed, fc.boolean(), fc.integer({ min: 2, max: 4 }), (seed, faults, robots) => {
        const { findings } = simulate({ seed, faults, robots })
        if (findings.length > 0) throw new Error(JSON.stringify(findings.slice(0, 3)))
      }),
      { numRuns: runs },
    )
    t.ok(simulate({ seed: 1 }).checked > 100, 'it compares something')
  })

  for (const [name, rules, lies] of mutations) {
    t.test(`${name}: found as ${rules.join(', ')}`, async (t) => {
      for (let seed = 1; seed <= seeds; seed += 1) {
        const { findings } = simulate({ seed, steps: 200, faults: seed % 2 === 0, lies })
        const found = new Set(findings.map(({ rule }) => rule))
        t.ok(
          rules.some((rule) => found.has(rule)),
          `seed ${seed}: ${[...found].join(', ')}`,
        )
      }
    })
  }
}
