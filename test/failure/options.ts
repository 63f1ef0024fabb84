import { z } from 'zod'
import { parseOptions } from '../../bot/options/parse.ts'
import { type FaultName, faultNames } from './faults.ts'

/** About three minutes on two cores. */
const shortNames: readonly FaultName[] = [
  'step-down',
  'primary-killed',
  'majority-lost',
  'connections',
  'network-silent',
]

export const help = `Usage: npm run test:failure -- [options]

Two servers on a replica set of three, robots with a ledger, and probes that read and write at each server steadily: then
one fault after the other. After each the ledger must agree with the server, a recount must find no drift, the servers
must have recovered by themselves, and no request may have got anything but success or 503. "503 for" is the time until
the last 503, from the beginning or the end of the fault.

  --short           ${shortNames.join(', ')}
  --faults <names>  comma-separated: ${faultNames.slice(0, 6).join(', ')},
                    ${faultNames.slice(6).join(', ')} (default: all)
  --logs <folder>   keeps the logs of all programs in this folder
  --help            print this

A full disk is a small file system in memory, which needs the right to mount (root). Otherwise it is skipped.

Exit code: 0 all passed, 1 one failed, 2 invalid options, 130 or 143 interrupted.
`

const types = {
  short: { type: 'boolean' },
  faults: { type: 'string' },
  logs: { type: 'string' },
  help: { type: 'boolean' },
} as const

const schema = z.object({
  short: z.boolean().default(false),
  faults: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(faultNames, `--faults must name some of ${faultNames.join(', ')}.`)))
    .optional(),
  logs: z.string().min(1, '--logs must name a folder.').optional(),
  help: z.boolean().default(false),
})

/** @throws UsageError */
export function readOptions(args: string[]) {
  const { short, faults, logs, help } = parseOptions(args, types, schema)
  return { names: faults ?? (short ? shortNames : faultNames), logs, isHelp: help }
}
