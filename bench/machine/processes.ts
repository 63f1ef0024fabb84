import { readdirSync, readFileSync } from 'node:fs'

/** Linux's USER_HZ, the unit of times in /proc. */
const tickUs = 10_000

export type ProcessTimes = { pid: number; parent: number; name: string; cpuUs: number }

/** A line of /proc/PID/stat: see proc_pid_stat(5). The name, in parentheses, can contain anything. */
export function parseStat(line: string): ProcessTimes {
  const nameEnd = line.lastIndexOf(')')
  const fields = line.slice(nameEnd + 2).split(' ')
  const [user, system] = [Number(fields[11]), Number(fields[12])]
  return {
    pid: Number.parseInt(line, 10),
    parent: Number(fields[1]),
    name: line.slice(line.indexOf('(') + 1, nameEnd),
    cpuUs: (user + system) * tickUs,
  }
}

/** Every process of the machine; none where there is no /proc. */
export function listProcesses(): ProcessTimes[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))]
      } catch {
        return [] // It has exited.
      }
    })
}

/** A process with its descendants. */
export function treeOf(root: number, processes: readonly ProcessTimes[]): ProcessTimes[] {
  const byParent = Map.groupBy(processes, ({ parent }) => parent)
  const below = (pid: number): ProcessTimes[] =>
    (byParent.get(pid) ?? []).flatMap((child) => [child, ...below(child.pid)])
  return [...processes.filter(({ pid }) => pid === root), ...below(root)]
}

/** CPU time used by processes so far, in microseconds. */
export const cpuUsOf = (processes: readonly ProcessTimes[]): number =>
  processes.reduce((sum, { cpuUs }) => sum + cpuUs, 0)
