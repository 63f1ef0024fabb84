import { StartError } from '../../start-error.ts'
import type { VaultClient } from './client.ts'
import { logIn } from './log-in.ts'
import { keepRenewed, type Lifetime, type Renewal } from './renewal.ts'
import type { LogInMethod } from './settings.ts'

export type TokenSource = {
  /** Logs in if there is no token yet. Concurrent callers share one login. */
  get(): Promise<string>
  /** Logs in again if a refused token is not valid any more. @returns undefined if it is: its policy denies the request */
  replace(refused: string): Promise<string | undefined>
  close(): void
}

/** Vault cannot have ended a token so soon: its policy denies it to look itself up. */
const youngMs = 1_000

/** @param onReplaced - called when another token replaces one: with a token, Vault revokes the leases that it obtained */
export function tokenSource(client: VaultClient, method: LogInMethod, onReplaced: () => void): TokenSource {
  let held: { text: string; at: number } | undefined
  let pending: Promise<string> | undefined
  let renewal: Renewal | undefined
  let closed = false
  const isFixed = method.kind === 'token' && method.token.isFixed

  async function obtain(): Promise<string> {
    const token = await logIn(client, method)
    const isReplacement = held !== undefined && held.text !== token.text
    held = { text: token.text, at: performance.now() }
    renewal?.stop()
    if (!closed) renewal = keepRenewed(token, () => renew(token.text), obtainAnother)
    if (isReplacement) onReplaced()
    return token.text
  }

  function share(): Promise<string> {
    pending ??= obtain().finally(() => {
      pending = undefined
    })
    return pending
  }

  async function renew(token: string): Promise<Lifetime> {
    const { auth } = await client.post('auth/token/renew-self', { token, body: {} })
    if (!auth) throw new StartError(`${client.name} does not renew our token.`)
    return { ttlSeconds: auth.lease_duration, renewable: auth.renewable }
  }

  function obtainAnother(): void {
    if (isFixed) return
    // The renewal repeats this, and a read reports the failure.
    share().catch(() => undefined)
  }

  async function replace(refused: string): Promise<string | undefined> {
    if (held?.text !== refused) return held?.text ?? share()
    const { at } = held
    const { status } = await client.get('auth/token/lookup-self', { token: refused })
    if (status === 200) return undefined
    if (held.text !== refused) return held.text
    if (method.kind !== 'token') return performance.now() - at < youngMs ? undefined : share()
    const other = isFixed ? refused : await share()
    if (other !== refused) return other
    const { variable } = method.token
    throw new StartError(
      `${client.name} refuses the token in ${variable}: it has expired or was revoked; issue another.`,
    )
  }

  return {
    get: async () => held?.text ?? share(),
    replace,
    close() {
      closed = true
      renewal?.stop()
    },
  }
}
