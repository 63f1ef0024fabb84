import type { Environment } from '../environment/environment.ts'
import { StartError } from '../start-error.ts'
import type { SecretManager } from './manager.ts'
import { secretManagers } from './managers.ts'
import { type SecretName, type SecretTexts, secretNames, urlSecretNames } from './names.ts'
import { looksLikeReference, looksLikeUrl } from './reference.ts'
import { fileReader, type ReadFile } from './secret-file.ts'
import { findSource, type SecretSource } from './source.ts'

const readTimeoutMs = 20_000

/** A secret that could not be read, and why: a sentence that begins with the variable and contains no secret. */
export type ReadFault = { name: SecretName; error: StartError }

export type SecretReader = {
  /** Faults of the variables themselves, such as two sources for one secret. */
  readonly faults: readonly string[]
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

/** Reads secrets from the environment, from files (relative to `root`) and from secret managers. */
export function secretReader(env: Environment, root: string): SecretReader {
  let leaseDue = () => {}
  const managers = secretManagers(env, { root, onLeaseDue: () => leaseDue() })
  const readFile = fileReader()
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
          texts[name] = await withTimeout(source, readSource(name, source, { managers, readFile }, options))
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

type Readers = { managers: SecretManager; readFile: ReadFile }

async function readSource(
  name: SecretName,
  source: SecretSource,
  readers: Readers,
  options?: { fresh?: boolean },
): Promise<string> {
  const { kind, variable } = source
  const text = kind === 'value' ? source.text : await readElsewhere(source, readers, options)
  if (!looksLikeReference(text) && (urlSecretNames.has(name) || !looksLikeUrl(text))) return text
  if (kind !== 'value') throw new StartError(`${variable} leads to a reference or a URL instead of a secret`)
  throw new StartError(`${name} is a reference or a URL, not a secret: to read it from there, set ${name}_FROM`)
}

async function readElsewhere(
  source: Exclude<SecretSource, { kind: 'value' }>,
  { managers, readFile }: Readers,
  options?: { fresh?: boolean },
): Promise<string> {
  if (source.kind === 'file') return readFile(source.variable, source.path)
  return managers.read(source.reference, options).catch((error: unknown) => {
    throw error instanceof StartError ? new StartError(`${source.variable}: ${error.message}`, error.fault) : error
  })
}

/** A source that hangs must delay neither the start for ever, nor the secrets of other sources. */
async function withTimeout<Value>({ variable }: SecretSource, promise: Promise<Value>): Promise<Value> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>()
  const fault = new StartError(`${variable} cannot be read within ${readTimeoutMs / 1_000} s`, 'out-of-reach')
  const timer = setTimeout(() => reject(fault), readTimeoutMs)
  return Promise.race([promise, timedOut]).finally(() => clearTimeout(timer))
}
