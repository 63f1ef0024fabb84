/** What was learned last by key: at least `max / 2` and at most `max` keys. */
export function recent<Value>(max: number) {
  let newer = new Map<string, Value>()
  let older = new Map<string, Value>()
  return {
    note(key: string, value: Value): void {
      newer.set(key, value)
      if (newer.size < max / 2) return
      older = newer
      newer = new Map()
    },
    of: (key: string): Value | undefined => newer.get(key) ?? older.get(key),
  }
}
