/** Calls `make` when its value is first needed, and again if that failed: one failure must not last until a restart. */
export function remembered<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined
  return () => {
    const value = made ?? make()
    made = value
    value.catch(() => {
      made = undefined
    })
    return value
  }
}
