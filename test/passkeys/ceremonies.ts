import { type makeClient, password, signUp } from '../helper.ts'
import { type Authenticator, type Creation, type Lies, type Request, softwareAuthenticator } from './authenticator.ts'

export const origin = 'http://localhost:5000'

/** For servers whose ports differ. */
export const passkeyEnv = { PUBLIC_ORIGIN: origin }

export type Client = ReturnType<typeof makeClient>
export type Passkey = { id: string; name: string; createdAt: string; lastUsedAt: string | null; backedUp: boolean }
export type LoggedIn = { account: { id: string; username: string }; session: { id: string; confirmedUntil: string } }
type Page<Item> = { items: Item[]; nextCursor: string | null }

export const confirm = (client: Client) => client.post('v1/session/confirm', { json: { password } })

export async function addPasskey(client: Client, authenticator: Authenticator, lies: Lies = {}, name?: string) {
  const { body } = await client.post<Creation>('v1/passkeys/options')
  const response = authenticator.create(body, lies)
  return client.post<Passkey>('v1/passkeys', { json: { response, ...(name !== undefined && { name }) } })
}

/** A new account with one passkey, whose session is confirmed. */
export async function passkeyUser(url: string, { counts = true } = {}) {
  const user = await signUp(url)
  await confirm(user.client)
  const authenticator = softwareAuthenticator(origin, { counts })
  const { body, statusCode } = await addPasskey(user.client, authenticator)
  if (statusCode !== 201) throw new Error(`the passkey was answered ${statusCode}: ${JSON.stringify(body)}`)
  return { ...user, authenticator, passkey: body }
}

export const loginOptions = async (client: Client) =>
  (await client.post<Request>('v1/session/passkey/options', { json: {} })).body

/** From a browser of its own, unless one is given. */
export async function logInBy(
  client: Client,
  authenticator: Authenticator,
  lies: Lies = {},
  more: { username?: string } = {},
) {
  const response = authenticator.get(await loginOptions(client), lies)
  return client.post<LoggedIn>('v1/session/passkey', { json: { response, ...more } })
}

export async function confirmBy(client: Client, authenticator: Authenticator, lies: Lies = {}) {
  const { body } = await client.post<Request>('v1/session/confirm/options')
  return client.post<LoggedIn>('v1/session/confirm', { json: { passkey: authenticator.get(body, lies) } })
}

export const listPasskeys = async (client: Client, query = '') =>
  (await client.get<Page<Passkey>>(`v1/passkeys${query}`)).body

/** The events of the account's activity, the newest first. */
export async function eventsOf(client: Client): Promise<string[]> {
  const { body } = await client.get<Page<{ event: string }>>('v1/account/activity')
  return body.items.map(({ event }) => event)
}
