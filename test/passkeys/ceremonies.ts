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

/** @throws Error with an answer that has no options, as that of an overloaded server */
async function optionsOf<Options>(client: Client, path: string, sent?: { json: object }): Promise<Options> {
  const { body, statusCode } = await client.post<Options>(path, sent)
  if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}: ${JSON.stringify(body)}`)
  return body
}

export async function addPasskey(client: Client, authenticator: Authenticator, lies: Lies = {}, name?: string) {
  const response = authenticator.create(await optionsOf<Creation>(client, 'v1/passkeys/options'), lies)
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

export const loginOptions = (client: Client) => optionsOf<Request>(client, 'v1/session/passkey/options', { json: {} })

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
  const passkey = authenticator.get(await optionsOf<Request>(client, 'v1/session/confirm/options'), lies)
  return client.post<LoggedIn>('v1/session/confirm', { json: { passkey } })
}

export const listPasskeys = async (client: Client, query = '') =>
  (await client.get<Page<Passkey>>(`v1/passkeys${query}`)).body

/** The events of the account's activity, the newest first. */
export async function eventsOf(client: Client): Promise<string[]> {
  const { body } = await client.get<Page<{ event: string }>>('v1/account/activity')
  return body.items.map(({ event }) => event)
}
