import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Ledger } from './fixtures/ledger.ts'
import { freshMachines } from './fixtures/machines.ts'
import { accountsNeeded, play, programs } from './fixtures/program.ts'
import { readStored, violatedInvariants } from './fixtures/stored.ts'
import { writerDriver } from './fixtures/writer-driver.ts'

/** The same programs in every run; others with FC_SEED=$RANDOM. */
const seed = Number(process.env.FC_SEED ?? 5)

/** Plays programs on machines that share a database, and compares what is stored after each. */
async function checkPrograms(t: Test, machines: number, numRuns: number) {
  const { db, client, machine, newAccounts, sweep, clear } = await freshMachines(t)
  const drivers = Array.from({ length: machines }, () => writerDriver(machine().writer))
  const property = fc.asyncProperty(programs({ groups: 6, actions: 12 }), async (program) => {
    await clear()
    const accounts = await newAccounts(accountsNeeded)
    const ledger = new Ledger(accounts)
    await play(program, accounts, drivers, ledger)
    await sweep()
    const stored = await readStored(db, client)
    const mismatches = [...violatedInvariants(stored), ...ledger.compare(stored)]
    if (mismatches.length > 0) throw new Error(mismatches.join('\n'))
  })
  // A busy machine plays fewer programs.
  const details = await fc.check(property, { seed, numRuns, interruptAfterTimeLimit: 18_000 })
  t.notOk(details.failed, fc.defaultReportMessage(details) ?? `${details.numRuns} programs, seed ${seed}`)
}

t.test('any concurrent writes on one machine: each acknowledged one is stored once and counted', (t) =>
  checkPrograms(t, 1, 80),
)

t.test('any concurrent writes on two machines: each acknowledged one is stored once and counted', (t) =>
  checkPrograms(t, 2, 80),
)
