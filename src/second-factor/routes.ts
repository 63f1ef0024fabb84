import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import { encodeQR } from 'qr'
import type { AccountStore } from '../accounts/store.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { CredentialStore } from '../credentials/store.ts'
import { inSessionTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { Problem, unauthenticated } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { assertConfirmed } from '../sessions/assert-confirmed.ts'
import { requireConfirmation, requireViewer } from '../sessions/auth-hooks.ts'
import type { DeviceStore } from '../sessions/devices.ts'
import type { SessionStore } from '../sessions/store.ts'
import { type CheckContext, checkCode } from './prove.ts'
import { newRecoveryCodes, recoveryCodeDigest } from './recovery-codes.ts'
import { ConfirmEnrolmentBody, RecoveryCodes, SecondFactorView, TotpEnrolment } from './schema.ts'
import type { SecondFactorStore } from './store.ts'
import { enrolmentOf, newTotpSecret, stepOf } from './totp.ts'

type Context = CheckContext & {
  accounts: Pick<AccountStore, 'find'>
  activity: Pick<ActivityStore, 'record'>
  credentials: Pick<CredentialStore, 'raiseVersion' | 'touch'>
  devices: Pick<DeviceStore, 'endTrust'>
  mutex: KeyedMutex
  secondFactors: SecondFactorStore
  sessions: Pick<SessionStore, 'endOtherConfirmations' | 'find' | 'isConfirmed' | 'touch'>
  transact: Transact
}

const tags = ['second factor']

const noKeys = () =>
  new Problem('forbidden', 'This server takes no authenticator apps until its operator sets TOTP_KEYS.')

const noEnrolment = () =>
  new Problem('not-found', 'Begin with POST /v1/second-factor/totp: no enrolment of the last 10 minutes is pending.')

const notEnrolled = () => new Problem('not-found', 'Enrol an authenticator app first: POST /v1/second-factor/totp.')

export const secondFactorRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, activity, credentials, devices, mutex, secondFactors, securityLog, sessions, transact } = context

  /** Changes write the credential, as each login and the account's deletion do: they happen before it or after it. */
  function change<T>(
    request: FastifyRequest,
    work: (account: string, transaction: ClientSession) => Promise<T>,
  ): Promise<T> {
    const viewer = requireViewer(request)
    const { account } = viewer
    const run = async (transaction: ClientSession) => {
      await assertConfirmed(viewer, sessions, transaction)
      const { outcome } = await credentials.touch(account, transaction)
      if (outcome === 'not-found') throw unauthenticated()
      return work(account, transaction)
    }
    return withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(run, deadline)))
  }

  scope.get(
    '/second-factor',
    {
      schema: {
        operationId: 'readSecondFactor',
        summary: 'Read whether you have a second factor',
        tags,
        response: { 200: SecondFactorView },
      },
    },
    async (request) => secondFactors.find(requireViewer(request).account),
  )

  const afterConfirm = { preHandler: requireConfirmation(context) }
  const config = {
    countsForSession: true,
    problems: ['confirmation-required'] as const,
    howToFindOut: 'GET /v1/second-factor shows whether an app is enrolled, and how many recovery codes are left.',
  }

  scope.post(
    '/second-factor/totp',
    {
      ...afterConfirm,
      schema: {
        operationId: 'beginTotpEnrolment',
        summary: 'Start enrolling an authenticator app',
        tags,
        response: { 201: TotpEnrolment },
      },
      config: { ...config, problems: [...config.problems, 'forbidden'] },
    },
    async (request, reply) => {
      if (!secondFactors.canEnrol()) throw noKeys()
      const own = await accounts.find(requireViewer(request).account)
      if (!own) throw unauthenticated()
      const secret = newTotpSecret()
      await change(request, (account, transaction) => secondFactors.beginEnrolment(account, secret, transaction))
      const enrolment = enrolmentOf(secret, own.username)
      reply.code(201)
      return { ...enrolment, qrCode: encodeQR(enrolment.uri, 'svg') }
    },
  )

  scope.post(
    '/second-factor/totp/confirm',
    {
      ...afterConfirm,
      schema: {
        operationId: 'confirmTotpEnrolment',
        summary: 'Confirm the authenticator app with a code',
        description:
          'Ends the confirmations of your other sessions, a session of a one-time password, and the trust of all devices.',
        tags,
        body: ConfirmEnrolmentBody,
        response: { 200: RecoveryCodes },
      },
      config: { ...config, problems: [...config.problems, 'invalid-credentials', 'not-found'] },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const enrolment = await secondFactors.findEnrolment(account)
      if (!enrolment) throw noEnrolment()
      const check = async () => stepOf(enrolment.secret, request.body.code)
      const step = await checkCode(request, account, context, check, { isExpected: true })
      const recoveryCodes = newRecoveryCodes()
      const confirmed = { step, recoveryCodes: recoveryCodes.map((code) => recoveryCodeDigest(account, code)) }
      await change(request, async (account, transaction) => {
        const { outcome } = await secondFactors.confirmEnrolment(account, enrolment, confirmed, transaction)
        if (outcome === 'replaced') throw noEnrolment()
        // What was proven without a code of this app serves no more: logins in progress, and other sessions' confirmations.
        await credentials.raiseVersion(account, transaction)
        await sessions.endOtherConfirmations(requireViewer(request), transaction)
        await devices.endTrust(account, transaction)
        await activity.record(account, 'totp-enrolled', request.client, transaction)
      })
      securityLog.record('authn_factor_change', { request, detail: { change: 'totp-enrolled' } })
      return { recoveryCodes }
    },
  )

  scope.delete(
    '/second-factor/totp',
    {
      ...afterConfirm,
      schema: {
        operationId: 'removeTotp',
        summary: 'Remove the authenticator app',
        description: 'Also removes the recovery codes, and ends the trust of all devices.',
        tags,
        response: { 204: NoContent },
      },
      config,
    },
    async (request, reply) => {
      const { outcome } = await change(request, async (account, transaction) => {
        const removed = await secondFactors.delete(account, transaction)
        await devices.endTrust(account, transaction)
        if (removed.outcome === 'removed') await activity.record(account, 'totp-removed', request.client, transaction)
        return removed
      })
      if (outcome === 'removed')
        securityLog.record('authn_factor_change', { request, detail: { change: 'totp-removed' } })
      return reply.code(204).send()
    },
  )

  scope.post(
    '/second-factor/recovery-codes',
    {
      ...afterConfirm,
      schema: {
        operationId: 'replaceRecoveryCodes',
        summary: 'Get ten new recovery codes',
        description: 'Earlier recovery codes are void.',
        tags,
        response: { 200: RecoveryCodes },
      },
      config: { ...config, problems: [...config.problems, 'not-found'] },
    },
    async (request) => {
      const recoveryCodes = newRecoveryCodes()
      await change(request, async (account, transaction) => {
        const digests = recoveryCodes.map((code) => recoveryCodeDigest(account, code))
        const { outcome } = await secondFactors.replaceRecoveryCodes(account, digests, transaction)
        if (outcome === 'not-enrolled') throw notEnrolled()
        await activity.record(account, 'recovery-codes-replaced', request.client, transaction)
      })
      securityLog.record('authn_factor_change', { request, detail: { change: 'recovery-codes-replaced' } })
      return { recoveryCodes }
    },
  )
}
