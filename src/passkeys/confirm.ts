import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import { Problem } from '../http/problems.ts'
import { requireViewer } from '../sessions/auth-hooks.ts'
import { type ProofContext, reauthenticateBy } from '../sessions/reauthenticate.ts'
import {
  type AssertionContext,
  acceptAssertion,
  claimedAccount,
  requestOptions,
  withAssertion,
} from './authentication.ts'
import type { AuthenticationResponse } from './browser-responses.ts'
import { type ChallengeContext, issueChallenge, presentedChallenge, sessionCeremony } from './challenge.ts'
import { requireRelyingParty } from './relying-party.ts'
import { RequestOptions } from './schema.ts'
import type { PasskeyStore } from './store.ts'

/**
 * A passkey that is refused counts as a wrong password does.
 * @param work - calls the function that it gets in its transaction
 * @throws Problem `invalid-credentials`, `rate-limited`, `forbidden` without a relying party
 */
export async function confirmWithPasskey<T>(
  request: FastifyRequest,
  response: AuthenticationResponse,
  context: AssertionContext & ProofContext,
  work: (useUp: (transaction: ClientSession) => Promise<void>) => Promise<T>,
): Promise<T> {
  const viewer = requireViewer(request)
  const party = requireRelyingParty(request)
  const challenge = presentedChallenge(request, sessionCeremony('passkey-confirm', viewer), response.response, context)
  const prove = async () => {
    if (!challenge) return undefined
    const isOwn = !response.response.userHandle || claimedAccount(response) === viewer.account
    const passkey = isOwn ? await context.passkeys.find(viewer.account, response.id) : undefined
    return acceptAssertion(request, { response, party, challenge, passkey }, context)
  }
  return reauthenticateBy(request, prove, context, (assertion) => withAssertion(request, assertion, context, work))
}

type Context = ChallengeContext & { passkeys: Pick<PasskeyStore, 'descriptors'> }

export const confirmOptionsRoute: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  scope.post(
    '/session/confirm/options',
    {
      schema: {
        operationId: 'preparePasskeyConfirmation',
        summary: 'Ask for the options of a confirmation with a passkey',
        tags: ['passkeys'],
        response: { 200: RequestOptions },
      },
      config: {
        countsForSession: true,
        responseHeaders: ['set-cookie'],
        problems: ['forbidden', 'not-found'],
        howToFindOut: 'You can ask again: nothing is stored.',
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const party = requireRelyingParty(request)
      const own = await context.passkeys.descriptors(viewer.account)
      // With an empty list, the authenticator would offer those of other accounts.
      if (own.length === 0) throw new Problem('not-found', 'Your account has no passkey: confirm with the password.')
      return requestOptions(issueChallenge(reply, sessionCeremony('passkey-confirm', viewer), context), party, own)
    },
  )
}
