import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Parts } from '../context.ts'
import { isDuplicateKey } from '../database/failures.ts'
import { newId } from '../database/ids.ts'
import { inTurn } from '../http/deadline.ts'
import { notFound, Problem } from '../http/problems.ts'
import { quarterHour } from '../limits/headers.ts'
import { limited } from '../limits/hooks.ts'
import { member, unauthenticated, viewerOf } from '../sessions/auth-hooks.ts'
import { beginSession, handOver } from '../sessions/issue.ts'
import { AccountParams, AccountView, ProfileBody, signUpBody } from './schema.ts'
import { viewAccount, viewOwn } from './view.ts'

type Options = Pick<
  Parts,
  | 'accounts'
  | 'activity'
  | 'cookies'
  | 'credentials'
  | 'devices'
  | 'limits'
  | 'passwordMinLength'
  | 'passwords'
  | 'sessions'
  | 'transact'
  | 'windows'
>

const tags = ['accounts']
const usernameTaken = () => new Problem('username-taken', 'Somebody has this username: choose another.')

/** Signing up. */
export const signUp: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, activity, cookies, credentials, limits, passwordMinLength, passwords, transact, windows } = parts
  const signUps = { name: 'signups', what: 'sign-ups', quota: limits.signupsPerAddress, window: quarterHour }
  const { onRequest, onSend, spend } = limited(windows, signUps)
  const body = signUpBody(passwordMinLength)

  scope.post(
    '/accounts',
    {
      onRequest,
      onSend,
      schema: { summary: 'Sign up, and be logged in', tags, body, response: { 201: AccountView } },
      config: { problems: ['username-taken', 'rate-limited'] },
    },
    async (request, reply) => {
      const { username, password, displayName = username, bio = '' } = request.body
      const account = newId()
      const owner = { username, pointer: '/body/password' }
      // Before the cost of judging and hashing is paid.
      if (await accounts.isTaken(username)) throw usernameTaken()
      await inTurn(request, reply, (turn) => passwords.accept(password, owner, turn))
      spend(request)
      const hashed = await inTurn(request, reply, (turn) => passwords.hash(password, account, turn))
      const { created, begun } = await transact(async (transaction) => {
        const created = await accounts.create(account, { username, displayName, bio }, transaction)
        await credentials.create(account, hashed, new Date(), transaction)
        await activity.record(account, 'account-created', request.client, transaction)
        return { created, begun: await beginSession(request, account, parts, transaction) }
      }).catch((error) => Promise.reject(isDuplicateKey(error) ? usernameTaken() : error))
      handOver(request, reply, cookies, begun)
      cookies.setDevice(reply, begun.device)
      reply.code(201).header('location', `/v1/accounts/${username}`)
      return viewOwn(created)
    },
  )
}

/** Reading accounts: for everyone. */
export const readAccounts: FastifyPluginAsyncZod<Pick<Parts, 'accounts' | 'follows'>> = async (scope, parts) => {
  const { accounts } = parts

  scope.get(
    '/accounts/:username',
    { schema: { summary: 'Read an account', tags, params: AccountParams, response: { 200: AccountView } } },
    async (request) => {
      const id = await accounts.idOf(request.params.username)
      const account = id === undefined ? undefined : await accounts.find(id)
      if (!account) throw notFound()
      return viewAccount(parts, account, viewerOf(request))
    },
  )
}

/** One's own account. */
export const ownAccount: FastifyPluginAsyncZod<Pick<Parts, 'accounts'>> = async (scope, { accounts }) => {
  scope.get(
    '/account',
    { schema: { summary: 'Read one’s own account', tags, response: { 200: AccountView } } },
    async (request) => {
      const own = await accounts.find(member(request).account)
      if (!own) throw unauthenticated()
      return viewOwn(own)
    },
  )

  scope.patch(
    '/account',
    {
      schema: { summary: 'Change one’s profile', tags, body: ProfileBody, response: { 200: AccountView } },
    },
    async (request) => {
      const { displayName, bio } = request.body
      const change = { ...(displayName !== undefined && { displayName }), ...(bio !== undefined && { bio }) }
      const changed = await accounts.update(member(request).account, change)
      if (!changed) throw unauthenticated()
      return viewOwn(changed)
    },
  )
}
