/** Transactions of this process that write the same document would otherwise make each other retry. */
export function keyedMutex() {
  const lastByKey = new Map<string, Promise<unknown>>()

  return <T>(key: string, task: () => Promise<T>): Promise<T> => {
    const running = (lastByKey.get(key) ?? Promise.resolve()).then(task)
    // Settles without an error: a failed task must not fail the next one.
    const settled: Promise<unknown> = running
      .catch(() => undefined)
      .then(() => lastByKey.get(key) === settled && lastByKey.delete(key))
    lastByKey.set(key, settled)
    return running
  }
}

export type KeyedMutex = ReturnType<typeof keyedMutex>

/**
 * Runs a change of an account that needs no confirmation. Of many, one waits among the account's other changes: a thief's flood
 * must not hold up the owner, who ends the thief's session.
 */
export const inEditTurn = <T>(mutex: KeyedMutex, account: string, task: () => Promise<T>): Promise<T> =>
  mutex(`edits of ${account}`, () => mutex(account, task))

/** Likewise for a change that needs one: of each session, one waits. A thief with the password can confirm, and has many. */
export const inSessionTurn = <T>(
  mutex: KeyedMutex,
  { account, session }: { account: string; session: string },
  task: () => Promise<T>,
): Promise<T> => mutex(session, () => mutex(account, task))
