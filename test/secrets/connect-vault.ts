import type { Test } from 'tap'
import { parseReference, type Reference } from '../../src/secrets/reference.ts'
import { vaultManager } from '../../src/secrets/vault.ts'

/** A manager whose timers end with the test. `read` takes MOUNT/PATH#FIELD; `due` counts its calls of onLeaseDue. */
export function connectVault(t: Test, url: string, env: Readonly<Record<string, string>>, root = '/') {
  const due = { count: 0 }
  const onLeaseDue = () => {
    due.count += 1
  }
  const manager = vaultManager({ VAULT_ADDR: url, ...env }, { root, onLeaseDue })
  t.teardown(() => manager.close())
  const read = (text: string, options = {}) => manager.read(refer(text), options)
  return { read, due, close: () => manager.close() }
}

function refer(text: string): Reference {
  const reference = parseReference(`vault:${text}`)
  if (!reference) throw new Error(`${text} is no reference`)
  return reference
}
