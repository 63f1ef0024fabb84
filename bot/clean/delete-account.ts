import type { Call, Client } from '../client.ts'

const ownSession: Pick<Call, 'action' | 'method' | 'path'> = { action: 'log in', method: 'POST', path: '/v1/session' }

/** What became of an account: otherwise a phrase that says why it is still there. */
export type Outcome = 'deleted' | 'gone before' | { left: string }

/** Deletes an account over the API, with the first of `passwords` that is right; without any, only looks whether it exists. */
export async function deleteAccount(client: Client, username: string, passwords: readonly string[]): Promise<Outcome> {
  const profile = await client.send({ action: 'read profile', method: 'GET', path: `/v1/accounts/${username}` })
  if (profile.status === 404) return 'gone before'
  if (profile.status !== 200) return { left: `reading them was answered by ${profile.cause}` }
  for (const password of passwords) {
    const login = await client.send({ ...ownSession, body: { username, password } })
    if (login.cause === '401 second-factor-required') return { left: hasSecondFactor }
    if (login.status === 401) continue
    if (login.status !== 200) return { left: `logging in was answered by ${login.cause}` }
    return await deleteOwn(client, password)
  }
  return { left: passwords.length === 0 ? unknownPassword : 'their passwords are not those of the seed' }
}

export const unknownPassword = 'their passwords were random'
export const hasSecondFactor = 'they have a second factor'

async function deleteOwn(client: Client, password: string): Promise<Outcome> {
  const body = { password }
  const confirm = await client.send({ ...ownSession, action: 'confirm', path: '/v1/session/confirm', body })
  if (confirm.status !== 200) return { left: `confirming the password was answered by ${confirm.cause}` }
  const result = await client.send({ action: 'delete account', method: 'DELETE', path: '/v1/account' })
  // Without an answer to the first attempt, a 401 says that it had deleted the account.
  const isDeleted = result.status === 204 || (result.status === 401 && result.isUncertain)
  return isDeleted ? 'deleted' : { left: `the deletion was answered by ${result.cause}` }
}
