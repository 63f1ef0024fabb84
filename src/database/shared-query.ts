import { batchLoader } from './batch-loader.ts'

/** Coalesces identical queries, as batch-loader.ts does reads of one id. All callers get the same object: do not mutate it. */
export function sharedQuery<Value>(
  schedule?: (send: () => void) => void,
): (name: string, query: () => Promise<Value>) => Promise<Value> {
  type Shared = { readers: number; read: (name: string) => Promise<Value | undefined> }
  const shared = new Map<string, Shared>()

  return async (name, query) => {
    const known = shared.get(name)
    const read = known?.read ?? batchLoader(async () => new Map([[name, await query()]]), schedule)
    const own = known ?? { readers: 0, read }
    shared.set(name, own)
    own.readers += 1
    try {
      // The loader above has a value for this name.
      return (await own.read(name)) as Value
    } finally {
      own.readers -= 1
      if (own.readers === 0) shared.delete(name)
    }
  }
}
