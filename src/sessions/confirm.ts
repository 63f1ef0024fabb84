import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { Credential, CredentialStore } from '../credentials/store.ts'
import { inSessionTurn } from '../database/keyed-mutex.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { unauthenticated } from '../http/problems.ts'
import type { FailedCodes } from '../limits/failed-codes.ts'
import { releaseSoon } from '../limits/release.ts'
import type { AssertionContext } from '../passkeys/authentication.ts'
import { confirmWithPasskey } from '../passkeys/confirm.ts'
import { type ProveContext, proveFactor, secondFactorRequired, type UseFactor } from '../second-factor/prove.ts'
import type { SecondFactorStore } from '../second-factor/store.ts'
import { requireViewer } from './auth-hooks.ts'
import { invalidCredentials } from './begin-session.ts'
import { viewLoggedIn } from './current-session.ts'
import { endSession } from './end.ts'
import { setSessionCookies } from './issue.ts'
import type { LoginContext } from './log-in.ts'
import { presentedRefreshTokens } from './presented.ts'
import { reauthenticate } from './reauthenticate.ts'
import type { TokenRotation } from './refresh.ts'
import { ConfirmBody, LoggedIn } from './schema.ts'

type Context = AssertionContext &
  LoginContext &
  ProveContext & {
    credentials: Pick<CredentialStore, 'version'>
    failedCodes: Pick<FailedCodes, 'clearRow'>
    secondFactors: Pick<SecondFactorStore, 'isEnrolled'>
    tokenRotation: TokenRotation
  }

export const confirmRoute: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { activity, cookies, credentials, failedCodes, mutex } = context
  const { secondFactors, securityLog, tokenRotation, transact } = context

  scope.post(
    '/session/confirm',
    {
      schema: {
        operationId: 'confirmSession',
        summary: 'Confirm the session with your password or a passkey',
        tags: ['sessions'],
        body: ConfirmBody,
        response: { 200: LoggedIn },
      },
      config: {
        countsForSession: true,
        responseHeaders: ['set-cookie'],
        problems: ['forbidden', 'invalid-credentials', 'second-factor-required'],
        howToFindOut: 'GET /v1/session shows whether the session is confirmed.',
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      // ConfirmBody has one of them.
      const { password = '', passkey, ...factor } = request.body
      const rotate = (useUp?: (transaction: ClientSession) => Promise<void>) => {
        const confirm = async (transaction: ClientSession) => {
          await useUp?.(transaction)
          const rotated = await tokenRotation.confirm(viewer, presentedRefreshTokens(request, cookies), transaction)
          // As for a wrong password: a client whose session has ended must not learn that the password was right.
          if (rotated.outcome === 'unknown') throw invalidCredentials()
          if (rotated.outcome === 'reused') {
            await endSession(viewer, 'refresh-reused', request.client, context, transaction)
          } else {
            await activity.record(viewer.account, 'session-confirmed', request.client, transaction)
          }
          return rotated
        }
        // Not by the session alone: one passkey, or one item of the activity, may be written by the confirmations of 50.
        return withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(confirm, deadline)))
      }
      let useFactor: UseFactor | undefined
      const checkFactor = async () => {
        if (!(await secondFactors.isEnrolled(viewer.account))) return
        if ((factor.code ?? factor.recoveryCode) === undefined)
          throw secondFactorRequired('Give code or recoveryCode beside the password.')
        useFactor = await proveFactor(request, viewer.account, factor, context)
      }
      const confirmWithPassword = async ({ oneTime, version }: Credential) => {
        // Of a session that an earlier version began: a one-time password serves to choose another.
        if (oneTime) throw invalidCredentials()
        const rotated = await rotate(async (transaction) => {
          // An enrolment since then has raised it: what was proven did not include a code of the new app.
          if ((await credentials.version(viewer.account, transaction)) !== version) throw invalidCredentials()
          await useFactor?.(transaction)
        })
        if (useFactor) await releaseSoon(() => failedCodes.clearRow(viewer.account), request.log)
        return rotated
      }
      const confirmed = passkey
        ? await confirmWithPasskey(request, passkey, context, rotate)
        : await reauthenticate(request, reply, password, context, confirmWithPassword, checkFactor)
      const isReused = confirmed.outcome === 'reused'
      securityLog.record(isReused ? 'authn_token_reuse' : 'authn_confirm_success', { request })
      if (isReused) throw unauthenticated()
      setSessionCookies(request, reply, cookies, confirmed)
      if (passkey) cookies.clearChallenge(reply, 'passkey')
      return viewLoggedIn(context, confirmed.session)
    },
  )
}
