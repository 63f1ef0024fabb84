import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { z } from 'zod'
import type { Parts } from '../context.ts'
import { isSpent } from '../credentials/store.ts'
import { transactionPatience } from '../database/transaction.ts'
import { atDatabase, inTurn } from '../http/deadline.ts'
import { databaseUnavailable, isOurFault, Problem } from '../http/problems.ts'
import { giveBackSoon } from '../limits/release.ts'
import { beginSession, shownRefreshToken } from './issue.ts'
import type { LoginBody } from './schema.ts'
import type { Turned } from './store.ts'

/** What logging in needs. */
export type LoginParts = Pick<
  Parts,
  | 'accounts'
  | 'activity'
  | 'cookies'
  | 'credentials'
  | 'devices'
  | 'logins'
  | 'oneByOne'
  | 'passwords'
  | 'sessions'
  | 'transact'
>

/** One answer for a wrong name and a wrong password. */
export const invalidCredentials = () => new Problem('invalid-credentials', 'The name or the password is wrong.')

const isInvalidCredentials = (error: unknown) => error instanceof Problem && error.code === 'invalid-credentials'

/**
 * Checks a name and a password and begins a session. The attempt takes its place under the limits just before the hash
 * is made, so that those who wait for their turn hold up nobody; a success and a failure of ours give it back.
 *
 * @throws Problem `invalid-credentials`, `rate-limited`, `overloaded`.
 */
export async function logIn(
  request: FastifyRequest,
  reply: FastifyReply,
  { username, password }: z.infer<typeof LoginBody>,
  parts: LoginParts,
): Promise<Turned & { device: string }> {
  const { accounts, activity, cookies, credentials, devices, logins, oneByOne, passwords, sessions, transact } = parts
  const { client } = request
  // An unknown name costs what a known one does, step by step: nobody has the id that stands in for it.
  const account = (await accounts.idOf(username)) ?? logins.standIn(username)
  const device = await devices.find(account, cookies.device(request))
  const attempt = { username, ip: client.ip, device }
  await logins.check(attempt)

  let giveBack = async () => {}
  const take = async () => {
    giveBack = await atDatabase(request, reply, () => logins.take(attempt))
    if (reply.sent) throw databaseUnavailable(new Error('the database was too slow'))
  }
  try {
    const credential = await credentials.find(account)
    const { matches, rehashed } = await inTurn(request, reply, (turn) =>
      passwords.verify(password, account, credential, turn, take),
    )
    if (credential === null || !matches || isSpent(credential)) throw invalidCredentials()
    const deadline = performance.now() + transactionPatience
    // At once: while it waits for its session it must not count as a failure.
    await giveBackSoon(giveBack, request.log)
    const begin = async (transaction: ClientSession) => {
      const login = { at: new Date(), rehashed }
      if (!(await credentials.noteLogin(account, credential, login, transaction))) throw invalidCredentials()
      const shown = shownRefreshToken(request, cookies)
      if (shown) await sessions.endByToken(shown, transaction)
      await activity.record(account, 'login', client, transaction)
      return beginSession(request, account, parts, transaction)
    }
    // All of them write the account's credential.
    const begun = await oneByOne(account, () => transact(begin, deadline))
    await giveBackSoon(() => logins.clear(attempt), request.log)
    return begun
  } catch (thrown) {
    let error = thrown
    if (isInvalidCredentials(thrown) && !reply.sent) {
      await activity.recordFailure(account, client).catch((failure) => {
        error = failure
      })
    }
    // Whoever is told 503, or was told it meanwhile, has not failed.
    if (isOurFault(error) || reply.sent) await giveBackSoon(giveBack, request.log)
    throw error
  }
}
