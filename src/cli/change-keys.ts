import { text } from 'node:stream/consumers'
import {
  type Algorithm,
  generateKey,
  remove,
  retire,
  rotate,
  serializeKeyRing,
  stateOf,
  toPublicRing,
} from '../secrets/change-key-ring.ts'
import { byAge, type KeyRing } from '../secrets/key-ring.ts'
import { parseKeyRing } from '../secrets/parse-key-ring.ts'
import { clockSkewSeconds, maxAccessTokenSeconds } from '../sessions/access-token.ts'
import { StartError } from '../start-error.ts'
import { print } from './command.ts'
import { readFileOrEmpty, replaceFile } from './replace-file.ts'

/** How long a token of a key may be valid after the key's last signature. */
export const tokenLifeSeconds = maxAccessTokenSeconds + clockSkewSeconds

export type Options = { algorithm?: string; in?: string; kid?: string }

function readAlgorithm(algorithm: string | undefined): Algorithm | undefined {
  if (algorithm === undefined || algorithm === 'EdDSA' || algorithm === 'HS256') return algorithm
  throw new StartError('--algorithm must be EdDSA or HS256.')
}

function readDelay(seconds = '600'): Date {
  if (!/^\d{1,8}$/.test(seconds)) throw new StartError('--in must be a whole number of seconds.')
  return new Date(Date.now() + Number(seconds) * 1_000)
}

function parseRing(json: string, name: string): KeyRing {
  if (json.trim() === '') throw new StartError(`${name} has no ring: npm run keys -- generate makes one.`)
  const faults: string[] = []
  const ring = parseKeyRing(json, faults, name)
  if (ring === undefined) throw new StartError(`${faults[0]}.`)
  return ring
}

async function readRing(file: string | undefined): Promise<KeyRing> {
  if (file !== undefined) return parseRing(await readFileOrEmpty(file), file)
  if (process.stdin.isTTY)
    throw new StartError('Name a FILE, or give the ring on standard input, which is a terminal now: see --help.')
  return parseRing(await text(process.stdin), 'Standard input')
}

export async function generate(file: string | undefined, options: Options): Promise<void> {
  const key = generateKey(readAlgorithm(options.algorithm) ?? 'EdDSA', new Date())
  const ring = serializeKeyRing([key])
  if (file === undefined) return print(ring)
  await replaceFile(file, (existing) => {
    if (existing.trim() !== '') throw new StartError(`${file} is not empty: rotate adds a key to it.`)
    return `${ring}\n`
  })
  print(`The key ${key.kid} signs from now on.`)
}

/** Changes the ring in a file, or the one from standard input. `change` returns also what the operator is told. */
async function changeRing(
  file: string | undefined,
  change: (ring: KeyRing) => { ring: KeyRing; told: string },
): Promise<void> {
  if (file === undefined) return print(serializeKeyRing(change(await readRing(file)).ring))
  let told = ''
  await replaceFile(file, (existing) => {
    const changed = change(parseRing(existing, file))
    told = changed.told
    return `${serializeKeyRing(changed.ring)}\n`
  })
  print(told)
}

export function runRotate(file: string | undefined, options: Options): Promise<void> {
  const [signFrom, algorithm] = [readDelay(options.in), readAlgorithm(options.algorithm)]
  return changeRing(file, (before) => {
    const { ring, added } = rotate(before, signFrom, algorithm)
    return { ring, told: `The key ${added.kid} signs from ${signFrom.toISOString()} on.` }
  })
}

export function runRetire(file: string | undefined, { kid }: Options): Promise<void> {
  return changeRing(file, (before) => {
    const now = new Date()
    const ring = kid === undefined ? retire(before, now, tokenLifeSeconds) : remove(before, kid, now)
    const removed = before.filter((key) => !ring.includes(key)).map((key) => key.kid)
    return { ring, told: removed.length === 0 ? 'No key is retirable.' : `Removed ${removed.join(', ')}.` }
  })
}

/** Prints a table without key material. */
export async function list(file: string | undefined): Promise<void> {
  const ring = await readRing(file)
  const now = new Date()
  const rows = byAge(ring).map((key) => {
    const { kid, algorithm, signFrom } = key
    return [kid, algorithm, signFrom.toISOString(), stateOf(key, ring, now, tokenLifeSeconds)]
  })
  const table = [['kid', 'algorithm', 'signFrom', 'state'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  for (const row of table)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}

export async function printPublic(file: string | undefined): Promise<void> {
  print(serializeKeyRing(toPublicRing(await readRing(file))))
}
