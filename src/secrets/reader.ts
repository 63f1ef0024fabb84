import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import type { Environment } from '../environment.ts'
import { StartError } from '../start-error.ts'
import type { SecretManager } from './manager.ts'
import { secretManagers } from './managers.ts'
import { type SecretName, type SecretTexts, secretNames } from './names.ts'
import { looksLikeReference } from './reference.ts'
import { findSource, type SecretSource } from './source.ts'

/** A secret that could not be read, and why: a sentence that begins with the variable and contains no secret. */
export type ReadFault = { name: SecretName; error: StartError }

export type SecretReader = {
  /** Faults of the variables themselves, such as two sources for one secret. */
  readonly faults: readonly string[]
  /** The secrets that have a source. */
  readonly names: readonly SecretName[]
  /** The secrets that can change while the program runs: those from files and from secret managers. */
  readonly changeable: readonly SecretName[]
  /** @param options.fresh - whether generated credentials must be new ones, because the database refused the last */
  read(
    names: readonly SecretName[],
    options?: { fresh?: boolean },
  ): Promise<{ texts: SecretTexts; faults: readonly ReadFault[] }>
  /** Calls back when credentials that a manager generated expire soon and must be read again. */
  onLeaseDue(listener: () => void): void
  close(): void
}

/**
 * Reads secrets from the environment, from files and from secret managers.
 * @param root - the base of relative paths
 */
export function secretReader(env: Environment, root: string): SecretReader {
  let leaseDue = () => {}
  const managers = secretManagers(env, { root, onLeaseDue: () => leaseDue() })
  const faults: string[] = []
  const sources = new Map<SecretName, SecretSource>()
  for (const name of secretNames) {
    const source = findSource(env, name, root, faults)
    if (source) sources.set(name, source)
  }

  return {
    faults,
    names: [...sources.keys()],
    changeable: [...sources].filter(([, { kind }]) => kind !== 'value').map(([name]) => name),
    async read(names, options) {
      const texts: SecretTexts = {}
      const readFaults: ReadFault[] = []
      async function readOne(name: SecretName): Promise<void> {
        const source = sources.get(name)
        if (source === undefined) return
        try {
          texts[name] = await readSource(name, source, managers, options)
        } catch (error) {
          if (!(error instanceof StartError)) throw error
          readFaults.push({ name, error })
        }
      }
      await Promise.all(names.map(readOne))
      return { texts, faults: readFaults }
    },
    onLeaseDue(listener) {
      leaseDue = listener
    },
    close: () => managers.close(),
  }
}

async function readSource(
  name: SecretName,
  source: SecretSource,
  managers: SecretManager,
  options?: { fresh?: boolean },
): Promise<string> {
  const { kind, variable } = source
  const text = kind === 'value' ? source.text : await readElsewhere(source, managers, options)
  if (!looksLikeReference(text)) return text
  if (kind !== 'value') throw new StartError(`${variable} leads to a reference or a URL instead of a secret`)
  throw new StartError(`${name} is a reference or a URL, not a secret: to read it from there, set ${name}_FROM`)
}

async function readElsewhere(
  source: Exclude<SecretSource, { kind: 'value' }>,
  managers: SecretManager,
  options?: { fresh?: boolean },
): Promise<string> {
  if (source.kind === 'file') return readSecretFile(source.variable, source.path)
  return managers.read(source.reference, options).catch((error: unknown) => {
    throw error instanceof StartError ? new StartError(`${source.variable}: ${error.message}`, error.fault) : error
  })
}

/** Reads a file without its last newline. */
async function readSecretFile(variable: string, path: string): Promise<string> {
  const bytes = await readFile(path).catch(() => {
    throw new StartError(`${variable} names a file that cannot be read: check its path and permissions`)
  })
  // Decoding random bytes as UTF-8 would silently lose most of their entropy.
  if (!isUtf8(bytes))
    throw new StartError(`${variable} names a file that is not UTF-8 text: encode it, for example in base64`)
  const text = bytes.toString('utf8').replace(/\r?\n$/, '')
  if (text === '') throw new StartError(`${variable} names an empty file: write the secret to it`)
  return text
}
