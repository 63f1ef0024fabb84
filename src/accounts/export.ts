import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import type { ActivityStore } from '../activity/store.ts'
import type { Transact } from '../database/transaction.ts'
import type { FollowStore } from '../follows/store.ts'
import { untilAnswered, withWriteDeadline } from '../http/deadline.ts'
import { allPages, type Position } from '../http/pages.ts'
import { unauthenticated } from '../http/problems.ts'
import { NdjsonStream, ndjsonType } from '../http/responses.ts'
import { accountTurn } from '../limits/client-turn.ts'
import type { FairQueue, Ticket } from '../limits/fair-queue.ts'
import type { Limit } from '../limits/headers.ts'
import { readQueue } from '../limits/read-queue.ts'
import { releaseSoon } from '../limits/release.ts'
import type { SlidingWindow } from '../limits/sliding-window.ts'
import type { EmailStore } from '../mail/emails.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import type { PasskeyStore } from '../passkeys/store.ts'
import type { PostStore } from '../posts/store.ts'
import { readPostView } from '../posts/view.ts'
import type { ReactionStore } from '../reactions/store.ts'
import type { SecondFactorStore } from '../second-factor/store.ts'
import type { Viewer } from '../sessions/access-token.ts'
import { assertConfirmed } from '../sessions/assert-confirmed.ts'
import { requireConfirmation, requireViewer } from '../sessions/auth-hooks.ts'
import type { DeviceStore } from '../sessions/devices.ts'
import type { SessionStore } from '../sessions/store.ts'
import type { AccountStore } from './store.ts'

type Context = {
  accounts: Pick<AccountStore, 'author' | 'find'>
  activity: Pick<ActivityStore, 'list' | 'record'>
  devices: Pick<DeviceStore, 'list'>
  emails: Pick<EmailStore, 'find'>
  follows: Pick<FollowStore, 'listFollowers' | 'listFollowing'>
  passkeys: Pick<PasskeyStore, 'list'>
  limits: { exportsPerAccount: number }
  posts: Pick<PostStore, 'find' | 'knownAuthor' | 'listByAuthor'>
  reactions: Pick<ReactionStore, 'listByAccount' | 'valueOf'>
  secondFactors: Pick<SecondFactorStore, 'find'>
  securityLog: SecurityLog
  sessions: Pick<SessionStore, 'find' | 'isConfirmed' | 'list' | 'touch'>
  slidingWindow: Pick<SlidingWindow, 'acquire' | 'check'>
  transact: Transact
}

const chunkSize = 200
/** Of all exports of one process. */
const maxConcurrentReads = 4

type Parts = Context & { queue: FairQueue; ticket: Ticket }

/** What another account has deleted is gone at once, although some of it may still be stored. */
async function onlyVisible<Item>(
  items: readonly Item[],
  toRecord: (item: Item) => Promise<object | false | undefined>,
): Promise<object[]> {
  const records = await Promise.all(items.map(toRecord))
  return records.filter((record) => typeof record === 'object')
}

async function* recordsOf(account: string, parts: Parts): AsyncGenerator<object[]> {
  const { queue, ticket } = parts
  const { accounts, activity, devices, emails, follows, passkeys, posts, reactions, secondFactors, sessions } = parts
  const own = await accounts.find(account)
  yield own ? [{ type: 'account', ...own }] : []
  const email = await emails.find(account)
  yield email.email !== null || email.pending !== null ? [{ type: 'email', ...email }] : []
  yield (await devices.list(account)).map(({ current: _, ...device }) => ({ type: 'device', ...device }))
  const { totp, recoveryCodesLeft } = await secondFactors.find(account)
  yield totp ? [{ type: 'totp', ...totp, recoveryCodesLeft }] : []

  const chunks = <T>(
    read: (account: string, position: Position) => Promise<readonly T[]>,
    keyOf: (item: T) => string,
  ) => allPages((position) => queue(() => read(account, position), ticket), keyOf, chunkSize)
  for await (const chunk of chunks(passkeys.list, ({ id }) => id)) {
    yield chunk.map((passkey) => ({ type: 'passkey', ...passkey }))
  }
  for await (const chunk of chunks(sessions.list, ({ id }) => id)) {
    yield chunk.map(({ account: _, ...session }) => ({ type: 'session', ...session }))
  }
  for await (const chunk of chunks(activity.list, ({ id }) => id)) {
    yield chunk.map(({ id: _, ...item }) => ({ type: 'activity', ...item }))
  }
  for await (const chunk of chunks(posts.listByAuthor, ({ id }) => id)) {
    yield chunk.map(({ author: _, ...post }) => ({ type: 'post', ...post }))
  }
  for await (const chunk of chunks(reactions.listByAccount, ({ order }) => order)) {
    yield await onlyVisible(chunk, async ({ post, value, reactedAt }) => {
      const isVisible = (await readPostView(parts, post, undefined)) !== undefined
      return isVisible && { type: 'reaction', post, value, reactedAt }
    })
  }
  for await (const chunk of chunks(follows.listFollowing, ({ order }) => order)) {
    yield await onlyVisible(chunk, async ({ to, since }) => {
      const account = await accounts.author(to)
      return account && { type: 'following', account, since }
    })
  }
  for await (const chunk of chunks(follows.listFollowers, ({ order }) => order)) {
    yield await onlyVisible(chunk, async ({ from, since }) => {
      const account = await accounts.author(from)
      return account && { type: 'follower', account, since }
    })
  }
}

/** The lines of an export. Only a complete one has the last line: when the session ends, the export stops. */
async function* linesOf(viewer: Viewer, parts: Parts): AsyncGenerator<string> {
  for await (const records of recordsOf(viewer.account, parts)) {
    if (!(await parts.sessions.find(viewer))) throw unauthenticated()
    yield records.map((record) => `${JSON.stringify(record)}\n`).join('')
  }
  yield `${JSON.stringify({ end: true })}\n`
}

export const exportRoute: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, activity, limits, securityLog, sessions, slidingWindow, transact } = context
  const queue = readQueue(maxConcurrentReads)
  const limit: Limit = {
    name: 'exports',
    description: 'exports',
    quota: limits.exportsPerAccount,
    windowSeconds: 3_600,
  }
  const counterOf = (request: FastifyRequest) => ({ limit, subject: requireViewer(request).account })

  scope.get(
    '/account/export',
    {
      // Without counting: an export that is refused for want of a confirmation must not use up the owner's.
      onRequest: (request) => slidingWindow.check([counterOf(request)]),
      preHandler: requireConfirmation(context),
      schema: {
        operationId: 'exportAccount',
        summary: 'Export your data',
        tags: ['accounts'],
        response: { 200: NdjsonStream },
      },
      config: {
        responseHeaders: ['content-disposition'],
        problems: ['confirmation-required', 'cross-site', 'rate-limited'],
        refusesCrossSite: true,
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const own = await accounts.find(viewer.account)
      if (!own) throw unauthenticated()
      reply.type(ndjsonType).header('content-disposition', `attachment; filename="rookery-${own.username}.ndjson"`)
      if (request.method === 'HEAD') return reply.send(Readable.from([]))
      const record = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        await activity.record(viewer.account, 'exported', request.client, transaction)
      }
      const release = await slidingWindow.acquire([counterOf(request)])
      try {
        await withWriteDeadline(request, (deadline) => transact(record, deadline))
      } catch (error) {
        await releaseSoon(release, request.log)
        throw error
      }
      securityLog.record('sensitive_read', { request, detail: { what: 'export' } })
      const ticket = { ...accountTurn(request.client.ip, viewer.account), signal: untilAnswered(reply) }
      return reply.send(Readable.from(linesOf(viewer, { ...context, queue, ticket })))
    },
  )
}
