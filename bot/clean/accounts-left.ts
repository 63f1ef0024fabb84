import { identity, nextPassword } from '../content.ts'
import type { HistoryListener } from '../history/history.ts'
import { effectOf, type Operation, type Write } from '../history/operation.ts'
import { registers } from '../history/registers.ts'

/** An account that a run may have left; `passwordsBefore` of its passwords are not valid any more. */
type Left = { robot: number; username: string; changes: number; passwordsBefore: number; isDeleted: boolean }

export type AccountLeft = Pick<Left, 'robot' | 'username' | 'changes' | 'passwordsBefore'>

/** Reads from a history which accounts may still exist, and how often their passwords have changed. */
export class AccountsLeft implements HistoryListener {
  #accounts = new Map<number, Left>()
  #deletions = new Set<number>()

  get accounts(): AccountLeft[] {
    return [...this.#accounts.values()].filter(({ isDeleted }) => !isDeleted)
  }

  begin({ id, robot, action, retryOf }: Operation, writes: readonly Write[]): void {
    const account = this.#accounts.get(robot)
    if (account && action === 'change password' && retryOf === null) account.changes += 1
    for (const { register, value } of writes) {
      const username = usernameIn(register)
      if (username === null) continue
      if (value === false) this.#deletions.add(id)
      else if (!account)
        this.#accounts.set(robot, { robot, username, changes: 0, passwordsBefore: 0, isDeleted: false })
    }
  }

  end(operation: Operation): void {
    const account = this.#accounts.get(operation.robot)
    if (!account || effectOf(operation) !== 'acknowledged') return
    if (this.#deletions.has(operation.id)) account.isDeleted = true
    if (operation.action === 'change password') account.passwordsBefore = account.changes
  }
}

/** The passwords that an account of a run with `--seed` may have, the likeliest first. */
export function passwordsOf(seed: number, { robot, changes, passwordsBefore }: AccountLeft): string[] {
  const own = identity(seed, robot, '')
  const passwords = [own.password]
  for (let n = 0; n < changes; n += 1) {
    own.password = nextPassword(own)
    passwords.push(own.password)
  }
  return passwords.slice(passwordsBefore).reverse()
}

function usernameIn(register: string): string | null {
  const prefix = registers.account('')
  return register.startsWith(prefix) ? register.slice(prefix.length) : null
}
