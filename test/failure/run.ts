import { join } from 'node:path'
import { printLine } from '../../bot/cli.ts'
import {
  connectionsFault,
  embeddedDiskFault,
  type Fault,
  type FaultName,
  linkFaults,
  memberDiskFault,
  setFaults,
} from './faults.ts'
import { type ReplicaSet, withReplicaSet } from './replica-set.ts'
import { type Site, withEmbedded, withLink, withPair } from './sites.ts'
import { type SmallDisk, withSmallDisk } from './small-disk.ts'
import { heading, resultLines } from './table.ts'
import { runTrial } from './trial.ts'

const linkNames: readonly FaultName[] = ['network-refused', 'network-silent']
const notOfPair: readonly FaultName[] = [...linkNames, 'only-disk-full']

/** Makes the faults happen in their order, prints a row for each, and counts those that passed and failed. */
export async function runFaults(names: readonly FaultName[], folder: string, stop: AbortSignal) {
  const total = { passed: 0, failed: 0 }
  const diskAt = <T>(name: FaultName, use: (disk: SmallDisk | undefined) => Promise<T>) =>
    names.includes(name)
      ? withSmallDisk(join(folder, name), (disk) => {
          if (typeof disk === 'object') return use(disk)
          printLine(`${name} skipped: ${disk}`)
          return use(undefined)
        })
      : use(undefined)

  async function runAt(site: Site, faults: readonly Fault[]): Promise<void> {
    for (const fault of faults) {
      if (!names.includes(fault.name)) continue
      const { name, limit } = fault
      const result = await runTrial(site, fault, folder, stop).catch((error: Error) => ({
        ...{ name, limit, spanMs: 0, refused: 0, requests: 0, longestMs: 0 },
        reasons: [error.message],
      }))
      if (stop.aborted) return
      total[result.reasons.length === 0 ? 'passed' : 'failed'] += 1
      for (const line of resultLines(result)) printLine(line)
    }
  }

  async function runOnSet(set: ReplicaSet, disk: SmallDisk | undefined): Promise<void> {
    const [first] = set.members
    const ofDisk = first && disk ? [memberDiskFault(set, first, disk)] : []
    if (names.some((name) => !notOfPair.includes(name)))
      await withPair(folder, set, (site) => runAt(site, [...setFaults(set), connectionsFault, ...ofDisk]))
    if (names.some((name) => linkNames.includes(name)))
      await withLink(folder, set, (site) => runAt(site, linkFaults(site.proxy)))
  }

  printLine(heading)
  if (names.some((name) => name !== 'only-disk-full'))
    await diskAt('primary-disk-full', (disk) =>
      withReplicaSet(folder, [disk && join(disk.folder, 'data')], (set) => runOnSet(set, disk)),
    )
  await diskAt('only-disk-full', async (disk) => {
    if (disk) await withEmbedded(folder, disk.folder, (site) => runAt(site, [embeddedDiskFault(disk)]))
  })
  return total
}
