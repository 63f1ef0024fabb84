import { readFileSync } from 'node:fs'
import { cpuUsOf, listProcesses, treeOf } from './processes.ts'

const tickUs = 10_000

/** CPU times of the whole machine and of this benchmark, in microseconds. */
export type CpuTimes = { total: number; busy: number; steal: number; own: number }

/** The first line of /proc/stat: see proc_stat(5). Interrupts are left out of `busy`: no process causes them alone. */
export function parseCpuLine(line: string): Omit<CpuTimes, 'own'> {
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) * tickUs)
  const busy = user + nice + system
  return { total: busy + idle + ioWait + irq + softIrq + steal, busy, steal }
}

/** @returns undefined where there is no /proc */
export function readCpuTimes(): CpuTimes | undefined {
  if (process.platform !== 'linux') return undefined
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1)
  return { ...parseCpuLine(line), own: cpuUsOf(treeOf(process.pid, listProcesses())) }
}

/** The part of the machine's CPU time that went to others: to other processes, or to other virtual machines (steal). */
export function noiseBetween(before: CpuTimes | undefined, after: CpuTimes | undefined): number | null {
  if (!before || !after) return null
  const change = (name: keyof CpuTimes) => after[name] - before[name]
  if (change('total') <= 0) return null
  return (Math.max(0, change('busy') - change('own')) + change('steal')) / change('total')
}
