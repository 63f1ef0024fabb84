/** Holds at most `maxEntries`: forgets those not used for the longest, a generation at a time. One or two lookups. */
export function recentMap<Value>(maxEntries: number) {
  let recent = new Map<string, Value>()
  let older = new Map<string, Value>()

  function set(key: string, value: Value): void {
    if (recent.size >= maxEntries / 2) {
      older = recent
      recent = new Map()
    }
    recent.set(key, value)
  }

  return {
    get(key: string): Value | undefined {
      const found = recent.get(key)
      if (found !== undefined) return found
      const value = older.get(key)
      if (value !== undefined) set(key, value)
      return value
    },
    set,
    delete(key: string): void {
      recent.delete(key)
      older.delete(key)
    },
    get size() {
      return recent.size + older.size
    },
  }
}
