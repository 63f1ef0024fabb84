import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answerLoggedIn } from '../sessions/begin-session.ts'
import { LoggedIn } from '../sessions/schema.ts'
import { requestOptions } from './authentication.ts'
import { issueChallenge, loginCeremony } from './challenge.ts'
import { type PasskeyLoginContext, passkeyLogin } from './log-in.ts'
import { requireRelyingParty } from './relying-party.ts'
import { LoginOptionsBody, PasskeyLoginBody, RequestOptions } from './schema.ts'

const tags = ['passkeys']

export const passkeyLoginRoutes: FastifyPluginAsyncZod<PasskeyLoginContext> = async (scope, context) => {
  const { logIn } = passkeyLogin(context)

  scope.post(
    '/session/passkey/options',
    {
      schema: {
        operationId: 'preparePasskeyLogin',
        summary: 'Ask for the options of a login with a passkey',
        description:
          'The answer names no passkeys, so it is the same for every username, and the authenticator offers its own.',
        tags,
        body: LoginOptionsBody,
        response: { 200: RequestOptions },
      },
      config: {
        responseHeaders: ['set-cookie'],
        problems: ['forbidden'],
        howToFindOut: 'You can ask again: nothing is stored.',
      },
    },
    async (request, reply) => {
      const party = requireRelyingParty(request)
      return requestOptions(issueChallenge(reply, loginCeremony, context), party, [])
    },
  )

  scope.post(
    '/session/passkey',
    {
      schema: {
        operationId: 'createPasskeySession',
        summary: 'Log in with a passkey',
        tags,
        body: PasskeyLoginBody,
        response: { 200: LoggedIn },
      },
      config: {
        responseHeaders: ['set-cookie'],
        problems: ['forbidden', 'invalid-credentials', 'rate-limited'],
        howToFindOut: 'You can log in again, with new options.',
      },
    },
    async (request, reply) => {
      const issued = await logIn(request, request.body)
      const view = await answerLoggedIn(request, reply, issued, context)
      context.cookies.clearChallenge(reply, 'passkey')
      return view
    },
  )
}
