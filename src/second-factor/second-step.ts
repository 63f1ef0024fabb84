import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import { isSpent, isSuspended } from '../credentials/store.ts'
import { Problem } from '../http/problems.ts'
import type { FailedCodes } from '../limits/failed-codes.ts'
import { releaseSoon } from '../limits/release.ts'
import { answerLoggedIn, beginSession } from '../sessions/begin-session.ts'
import { firstStepOf, type LoginContext } from '../sessions/log-in.ts'
import { carriedSessions } from '../sessions/presented.ts'
import { LoggedIn } from '../sessions/schema.ts'
import { type ProveContext, proveFactor, WrongCode } from './prove.ts'
import { SecondStepBody } from './schema.ts'
import type { SecondFactorStore } from './store.ts'

type Context = LoginContext &
  ProveContext & {
    failedCodes: FailedCodes
    secondFactors: Pick<SecondFactorStore, 'isEnrolled'>
  }

/** For whatever has happened to the first step: it expired, served, had five wrong codes, or the password changed. */
const firstStepAgain = () =>
  new Problem('unauthenticated', 'Log in with the password first, then give the code within 5 minutes.')

const isRateLimited = (error: unknown) => error instanceof Problem && error.code === 'rate-limited'

export const secondStepRoute: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, challenges, cookies, credentials, devices } = context
  const { failedCodes, loginThrottle, secondFactors, securityLog, sessions } = context

  scope.post(
    '/session/second-factor',
    {
      schema: {
        operationId: 'completeLogin',
        summary: 'Complete a login with a second factor',
        description: 'Completes a login that was answered `second-factor-required`, within 5 minutes.',
        tags: ['sessions'],
        body: SecondStepBody,
        response: { 200: LoggedIn },
      },
      config: {
        responseHeaders: ['set-cookie'],
        problems: ['invalid-credentials', 'unauthenticated', 'rate-limited'],
        howToFindOut: 'You can log in again.',
      },
    },
    async (request, reply) => {
      const { trustDevice, ...presented } = request.body
      // Before any query: only a right password gets a challenge.
      const challenge = challenges.read('second-factor', cookies.challenge(request, 'second-factor'))
      if (!challenge) throw firstStepAgain()
      const { account, version } = firstStepOf(challenge)
      request.claimedIdentity = { account }
      const refuse = () => {
        challenges.end(challenge)
        return firstStepAgain()
      }
      const release = await failedCodes.acquireTry(challenge.id).catch((error) => {
        throw isRateLimited(error) ? refuse() : error
      })
      try {
        const [own, credential, isEnrolled, device, carried] = await Promise.all([
          accounts.find(account),
          credentials.find(account),
          secondFactors.isEnrolled(account),
          devices.find(account, cookies.device(request)),
          carriedSessions(request, cookies, sessions),
        ])
        if (!own || !isEnrolled || credential?.version !== version) throw refuse()
        if (isSpent(credential) || isSuspended(credential)) throw refuse()
        const useFactor = await proveFactor(request, account, presented, context)
        const useUp = async (transaction: ClientSession) => {
          const { outcome } = await challenges.use(challenge, transaction)
          if (outcome === 'already-used') throw firstStepAgain()
          await useFactor(transaction)
        }
        const issued = await beginSession(request, { account, credential, carried, trustDevice, useUp }, context)
        const attempt = { username: own.username, account, ip: request.client.ip, device: device?.subject }
        await releaseSoon(() => loginThrottle.clear(attempt), request.log)
        await releaseSoon(() => failedCodes.clearRow(account), request.log)
        securityLog.record('authn_login_success', { request })
        cookies.clearChallenge(reply, 'second-factor')
        return answerLoggedIn(request, reply, issued, context)
      } catch (error) {
        if (!(error instanceof WrongCode)) await releaseSoon(release, request.log)
        throw error
      }
    },
  )
}
