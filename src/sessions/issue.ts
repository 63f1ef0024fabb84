import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { SessionOwner } from './access-token.ts'
import type { SessionCookies } from './cookies.ts'
import type { DeviceStore, KnownDevice } from './devices.ts'
import { type EndContext, endCarried } from './end.ts'
import { serializeRefreshToken } from './refresh-token.ts'
import type { IssuedSession, SessionStore } from './store.ts'

export type IssueContext = Pick<EndContext, 'activity'> & {
  cookies: SessionCookies
  devices: Pick<DeviceStore, 'remember'>
  sessions: Pick<SessionStore, 'create' | 'end' | 'findNamed'>
}

export type NewSession = {
  account: string
  carried: readonly SessionOwner[]
  passwordChangeRequired?: boolean
  trustDevice?: boolean | undefined
  /** The device, if it has been found already. */
  known?: KnownDevice | undefined
  /** What the account is known to have room for. */
  hasRoom?: { device: boolean; session: boolean } | undefined
}

/** Ends what the request carried, too: a browser has one session at a time. Call `logLogouts` afterwards with `ended`. */
export async function issueSession(
  request: FastifyRequest,
  { account, carried, passwordChangeRequired = false, trustDevice, known, hasRoom }: NewSession,
  { activity, cookies, sessions, devices }: IssueContext,
  transaction: ClientSession,
): Promise<IssuedSession & { device: string; isKnownDevice: boolean; ended: SessionOwner[] }> {
  const { client } = request
  const ended = await endCarried(carried, client, { activity, sessions }, transaction, account)
  const presented = cookies.device(request)
  const browser = { presented, client, trust: trustDevice, known, hasRoom: hasRoom?.device ?? false }
  const { token: device, outcome } = await devices.remember(account, browser, transaction)
  const session = { passwordChangeRequired, hasRoom: hasRoom?.session ?? false }
  const issued = await sessions.create(account, client, transaction, session)
  return { ...issued, device, isKnownDevice: outcome === 'known', ended }
}

export function setSessionCookies(
  request: FastifyRequest,
  reply: FastifyReply,
  cookies: SessionCookies,
  { session, token, generation }: IssuedSession,
): void {
  const viewer = { account: session.account, session: session.id, generation }
  // So that the log line of a login names its session.
  request.viewer = viewer
  const access = request.server.accessTokens.sign(viewer, session.expiresAt)
  // Counted from the refresh, not from now: the contract's 30 days.
  const refreshAge = Math.max(0, Math.floor((session.expiresAt.getTime() - session.lastSeenAt.getTime()) / 1000))
  cookies.setSession(
    reply,
    { access: access.token, refresh: serializeRefreshToken(token) },
    { access: access.maxAge, refresh: refreshAge },
  )
}
