import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Ledger } from './fixtures/ledger.ts'
import { freshMachines } from './fixtures/machines.ts'
import { overWriter } from './fixtures/over-writer.ts'
import { accountsNeeded, play, programs } from './fixtures/program.ts'
import { disagreements, readStored } from './fixtures/stored.ts'

/** The same programs in every run; FC_SEED=$RANDOM tries others. */
const seed = Number(process.env.FC_SEED ?? 5)

/** Plays many programs on machines that share a database, and compares what is stored after each. */
async function holds(t: Test, machines: number, numRuns: number) {
  const { db, client, machine, newAccounts, sweep, clear } = await freshMachines(t)
  const ways = Array.from({ length: machines }, () => overWriter(machine().writer))
  const property = fc.asyncProperty(programs({ groups: 6, actions: 12 }), async (program) => {
    await clear()
    const accounts = await newAccounts(accountsNeeded)
    const ledger = new Ledger(accounts)
    await play(program, accounts, ways, ledger)
    await sweep()
    const stored = await readStored(db, client)
    const faults = [...disagreements(stored), ...ledger.compare(stored)]
    if (faults.length > 0) throw new Error(faults.join('\n'))
  })
  // On a busy machine fewer programs are played.
  const details = await fc.check(property, { seed, numRuns, interruptAfterTimeLimit: 18_000 })
  t.notOk(details.failed, fc.defaultReportMessage(details) ?? `${details.numRuns} programs, seed ${seed}`)
}

t.test('whatever is done at the same time on one machine: each acknowledged write is there, once, and counted', (t) =>
  holds(t, 1, 80),
)

t.test('and on two machines', (t) => holds(t, 2, 80))
