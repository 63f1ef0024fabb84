import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Parts } from '../context.ts'
import type { Credential } from '../credentials/store.ts'
import { inTurn } from '../http/deadline.ts'
import { isOurFault } from '../http/problems.ts'
import { giveBackSoon } from '../limits/release.ts'
import { member } from './auth-hooks.ts'
import { endSession } from './end.ts'
import { invalidCredentials } from './log-in.ts'

type Options = Pick<Parts, 'activity' | 'credentials' | 'passwords' | 'sessions' | 'transact'>

/**
 * Does what needs the password to be given again inside a session. Of ten tries the last wrong one ends the session: it
 * may be somebody who found the browser open. What we could not finish, and a right one, cost no try.
 *
 * @param work - is given the credential that the password fits. It ends the session, or gives it all its tries back.
 * @throws Problem `invalid-credentials`, `overloaded`.
 */
export async function withOwnPassword<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  password: string,
  { activity, credentials, passwords, sessions, transact }: Options,
  work: (credential: Credential) => Promise<T>,
): Promise<T> {
  const viewer = member(request)
  const credential = await credentials.find(viewer.account)
  const left = await sessions.takeTry(viewer)
  if (left === undefined) throw invalidCredentials()
  let isRight = false
  try {
    const { matches } = await inTurn(request, reply, (turn) =>
      passwords.verify(password, viewer.account, credential, turn),
    )
    isRight = matches
    if (matches && credential) return await work(credential)
    if (left === 0) await end()
  } catch (error) {
    if (isRight || isOurFault(error)) await giveBackSoon(() => sessions.giveTryBack(viewer), request.log)
    // Whoever hangs up has had the try all the same.
    else if (left === 0) await end()
    throw error
  }
  throw invalidCredentials()

  async function end(): Promise<void> {
    const { client } = request
    await transact((transaction) => endSession(viewer, 'session-revoked', client, { activity, sessions }, transaction))
  }
}
