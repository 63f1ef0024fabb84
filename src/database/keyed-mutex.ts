/**
 * Lets pieces of work of one key run one after the other. Transactions that write the same document would otherwise
 * make each other run again and again; those of other processes still may.
 */
export function keyedMutex() {
  const last = new Map<string, Promise<unknown>>()

  return <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const running = (last.get(key) ?? Promise.resolve()).then(work)
    // Whoever comes next waits for the end, however it ends.
    const over: Promise<unknown> = running.catch(() => undefined).then(() => last.get(key) === over && last.delete(key))
    last.set(key, over)
    return running
  }
}

export type KeyedMutex = ReturnType<typeof keyedMutex>
