import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { PasswordService } from '../credentials/password-service.ts'
import type { CredentialStore } from '../credentials/store.ts'
import { isDuplicateKey } from '../database/failures.ts'
import { newId } from '../database/ids.ts'
import { inEditTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import type { FollowStore } from '../follows/store.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { notFound, Problem, unauthenticated } from '../http/problems.ts'
import type { FixedWindow } from '../limits/fixed-window.ts'
import { limitWindowSeconds } from '../limits/headers.ts'
import { limitHooks } from '../limits/hooks.ts'
import { whileQueued } from '../limits/while-queued.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { requireViewer, viewerOf } from '../sessions/auth-hooks.ts'
import { logLogouts } from '../sessions/end.ts'
import { type IssueContext, issueSession, setSessionCookies } from '../sessions/issue.ts'
import { carriedSessions } from '../sessions/presented.ts'
import { AccountParams, AccountView, ProfileBody, signUpBody } from './schema.ts'
import type { AccountStore } from './store.ts'
import { viewAccount, viewOwn } from './view.ts'

type SignUpContext = IssueContext & {
  accounts: Pick<AccountStore, 'create' | 'isTaken'>
  credentials: Pick<CredentialStore, 'create'>
  fixedWindow: FixedWindow
  isReservedName: (username: string) => boolean
  limits: { signupsPerAddress: number; signupsPerNetwork: number }
  passwordMinLength: number
  passwords: PasswordService
  securityLog: SecurityLog
  transact: Transact
}

const tags = ['accounts']
const usernameTaken = () => new Problem('username-taken', 'This username is taken: choose another.')

export const signUpRoute: FastifyPluginAsyncZod<SignUpContext> = async (scope, context) => {
  const { accounts, activity, cookies, credentials, fixedWindow, isReservedName, limits } = context
  const { passwordMinLength, passwords, securityLog, transact } = context
  const signUps = { description: 'sign-ups', windowSeconds: limitWindowSeconds }
  const { consume, ...hooks } = limitHooks(
    fixedWindow,
    { ...signUps, name: 'signups', quota: limits.signupsPerAddress },
    { ...signUps, name: 'signups-by-network', quota: limits.signupsPerNetwork },
  )
  const body = signUpBody(passwordMinLength)

  scope.post(
    '/accounts',
    {
      ...hooks,
      schema: { operationId: 'createAccount', summary: 'Sign up', tags, body, response: { 201: AccountView } },
      config: {
        responseHeaders: ['location', 'set-cookie'],
        problems: ['username-taken', 'rate-limited'],
        howToFindOut: 'Logging in works if you have signed up.',
      },
    },
    async (request, reply) => {
      const { username, password, displayName = username, bio = '' } = request.body
      const account = newId()
      const owner = { username, displayName, pointer: '/body/password' }
      // Before the password is judged and hashed, which is what costs.
      if (isReservedName(username) || (await accounts.isTaken(username))) throw usernameTaken()
      const onJudge = () => consume(request)
      await whileQueued(request, reply, (ticket) => passwords.assertStrong(password, owner, ticket, onJudge))
      const hashed = await whileQueued(request, reply, (ticket) => passwords.hash(password, account, ticket))
      const carried = await carriedSessions(request, cookies, context.sessions)
      const create = async (transaction: ClientSession) => {
        const created = await accounts.create(account, { username, displayName, bio }, transaction)
        await credentials.create(account, hashed, new Date(), transaction)
        await activity.record(account, 'account-created', request.client, transaction)
        return { created, issued: await issueSession(request, { account, carried }, context, transaction) }
      }
      const { created, issued } = await withWriteDeadline(request, (deadline) => transact(create, deadline)).catch(
        (error) => Promise.reject(isDuplicateKey(error) ? usernameTaken() : error),
      )
      securityLog.record('user_created', { request, account })
      logLogouts(request, issued.ended, securityLog)
      setSessionCookies(request, reply, cookies, issued)
      cookies.setDevice(reply, issued.device)
      reply.code(201).header('location', `/v1/accounts/${username}`)
      return viewOwn(created)
    },
  )
}

type ReadContext = { accounts: Pick<AccountStore, 'find' | 'idOf'>; follows: Pick<FollowStore, 'isFollowing'> }

export const publicAccountRoutes: FastifyPluginAsyncZod<ReadContext> = async (scope, context) => {
  const { accounts } = context

  scope.get(
    '/accounts/:username',
    {
      schema: {
        operationId: 'readAccount',
        summary: 'Read an account',
        tags,
        params: AccountParams,
        response: { 200: AccountView },
      },
    },
    async (request) => {
      const id = await accounts.idOf(request.params.username)
      const account = id === undefined ? undefined : await accounts.find(id)
      if (!account) throw notFound()
      return viewAccount(context, account, viewerOf(request))
    },
  )
}

type OwnContext = { accounts: Pick<AccountStore, 'complete' | 'find' | 'update'>; mutex: KeyedMutex }

export const accountRoutes: FastifyPluginAsyncZod<OwnContext> = async (scope, { accounts, mutex }) => {
  scope.get(
    '/account',
    { schema: { operationId: 'readOwnAccount', summary: 'Read your account', tags, response: { 200: AccountView } } },
    async (request) => {
      const own = await accounts.find(requireViewer(request).account)
      if (!own) throw unauthenticated()
      return viewOwn(own)
    },
  )

  scope.patch(
    '/account',
    {
      schema: {
        operationId: 'editProfile',
        summary: 'Edit your profile',
        tags,
        body: ProfileBody,
        response: { 200: AccountView },
      },
      config: { howToFindOut: 'GET /v1/account shows your profile.' },
    },
    async (request) => {
      const { displayName, bio } = request.body
      const change = { ...(displayName !== undefined && { displayName }), ...(bio !== undefined && { bio }) }
      const { account } = requireViewer(request)
      const result = await withWriteDeadline(request, (deadline) =>
        inEditTurn(mutex, account, () => accounts.update(account, change, deadline)),
      )
      if (result.outcome === 'not-found') throw unauthenticated()
      return viewOwn(await accounts.complete(result.profile))
    },
  )
}
