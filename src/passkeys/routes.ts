import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { AccountStore } from '../accounts/store.ts'
import type { ActivityStore } from '../activity/store.ts'
import type { CredentialStore } from '../credentials/store.ts'
import { newId } from '../database/ids.ts'
import { inEditTurn, inSessionTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { PageQuery, pageFrom, positionOf } from '../http/pages.ts'
import { invalid, notFound, Problem, unauthenticated } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { assertConfirmed } from '../sessions/assert-confirmed.ts'
import { requireConfirmation, requireViewer } from '../sessions/auth-hooks.ts'
import type { SessionStore } from '../sessions/store.ts'
import { type ChallengeContext, issueChallenge, presentedChallenge, sessionCeremony } from './challenge.ts'
import { creationOptions, verifyRegistration } from './registration.ts'
import { requireRelyingParty } from './relying-party.ts'
import { CreationOptions, PasskeyBody, PasskeyPage, PasskeyParams, PasskeyView, RenameBody } from './schema.ts'
import { maxPasskeys, type PasskeyStore } from './store.ts'

type Context = ChallengeContext & {
  accounts: Pick<AccountStore, 'find'>
  activity: Pick<ActivityStore, 'record'>
  credentials: Pick<CredentialStore, 'touch'>
  mutex: KeyedMutex
  passkeys: PasskeyStore
  securityLog: SecurityLog
  sessions: Pick<SessionStore, 'find' | 'isConfirmed' | 'touch'>
  transact: Transact
}

const tags = ['passkeys']
const howToFindOut = 'GET /v1/passkeys lists your passkeys.'

const tooMany = () => new Problem('forbidden', `An account has at most ${maxPasskeys} passkeys: remove one first.`)

const unanswered = () =>
  invalid({
    pointer: '/body/response',
    detail: 'Must be a new passkey for the last options that this browser got, within 5 minutes.',
  })

export const passkeyRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, activity, challenges, cookies, credentials, mutex, passkeys } = context
  const { securityLog, sessions, transact } = context
  const preHandler = requireConfirmation(context)

  scope.post(
    '/passkeys/options',
    {
      preHandler,
      schema: {
        operationId: 'preparePasskey',
        summary: 'Ask for the options of a new passkey',
        tags,
        response: { 200: CreationOptions },
      },
      config: {
        countsForSession: true,
        responseHeaders: ['set-cookie'],
        problems: ['confirmation-required', 'forbidden'],
        howToFindOut: 'You can ask again: nothing is stored.',
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const party = requireRelyingParty(request)
      const [own, existing] = await Promise.all([accounts.find(viewer.account), passkeys.descriptors(viewer.account)])
      if (!own) throw unauthenticated()
      if (existing.length >= maxPasskeys) throw tooMany()
      const challenge = issueChallenge(reply, sessionCeremony('passkey-registration', viewer), context)
      return creationOptions(own, challenge, party, existing)
    },
  )

  scope.post(
    '/passkeys',
    {
      preHandler,
      schema: {
        operationId: 'addPasskey',
        summary: 'Add a passkey',
        tags,
        body: PasskeyBody,
        response: { 201: PasskeyView },
      },
      config: {
        countsForSession: true,
        responseHeaders: ['location', 'set-cookie'],
        problems: ['confirmation-required', 'forbidden'],
        howToFindOut,
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account } = viewer
      const party = requireRelyingParty(request)
      const { response, name = 'Passkey' } = request.body
      const ceremony = sessionCeremony('passkey-registration', viewer)
      const challenge = presentedChallenge(request, ceremony, response.response, context)
      if (!challenge) throw unanswered()
      const { outcome } = await challenges.use(challenge)
      const record = await verifyRegistration(response, challenge, party)
      if (!record || outcome === 'already-used') throw unanswered()
      const id = newId()
      const add = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        // Of two that are added at once, the second sees the first.
        await credentials.touch(account, transaction)
        const result = await passkeys.add({ id, account, name, record }, transaction)
        if (result.outcome === 'added') await activity.record(account, 'passkey-added', request.client, transaction)
        return result
      }
      const added = await withWriteDeadline(request, (deadline) =>
        inSessionTurn(mutex, viewer, () => transact(add, deadline)),
      )
      if (added.outcome === 'too-many') throw tooMany()
      if (added.outcome !== 'added') throw unanswered()
      securityLog.record('authn_passkey_added', { request })
      cookies.clearChallenge(reply, 'passkey')
      reply.code(201).header('location', `/v1/passkeys/${added.passkey.id}`)
      return added.passkey
    },
  )

  scope.get(
    '/passkeys',
    {
      schema: {
        operationId: 'listPasskeys',
        summary: 'List your passkeys',
        tags,
        querystring: PageQuery,
        response: { 200: PasskeyPage },
      },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const list = `passkeys:${account}`
      const position = positionOf(list, request.query)
      return pageFrom(list, position.limit, await passkeys.list(account, position), ({ id }) => id)
    },
  )

  scope.patch(
    '/passkeys/:id',
    {
      schema: {
        operationId: 'renamePasskey',
        summary: 'Rename a passkey',
        tags,
        params: PasskeyParams,
        body: RenameBody,
        response: { 200: PasskeyView },
      },
      config: { howToFindOut },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const { id } = request.params
      const { name } = request.body
      const rename = (transaction: ClientSession) => passkeys.rename(account, id, name, transaction)
      const renamed = await withWriteDeadline(request, (deadline) =>
        inEditTurn(mutex, account, () => transact(rename, deadline)),
      )
      if (renamed.outcome === 'not-found') throw notFound()
      return renamed.passkey
    },
  )

  scope.delete(
    '/passkeys/:id',
    {
      preHandler,
      schema: {
        operationId: 'removePasskey',
        summary: 'Remove a passkey',
        tags,
        params: PasskeyParams,
        response: { 204: NoContent },
      },
      config: { countsForSession: true, problems: ['confirmation-required'], howToFindOut },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account } = viewer
      const remove = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        const { outcome } = await passkeys.remove(account, request.params.id, transaction)
        if (outcome === 'not-found') throw notFound()
        await activity.record(account, 'passkey-removed', request.client, transaction)
      }
      await withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(remove, deadline)))
      securityLog.record('authn_passkey_removed', { request })
      return reply.code(204).send()
    },
  )
}
