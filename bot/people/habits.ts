import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, type Call, interruptedCause } from '../client.ts'
import { nextPassword, randomPassword } from '../content.ts'
import { authorOf, registers } from '../history/registers.ts'
import type { PostRef } from '../plan.ts'
import { readExport } from './export.ts'
import { mustBeRefused, ownAccount, refreshSession, refusePassword } from './refusals.ts'
import type { Robot } from './robot.ts'
import { GaveUp, type Session } from './session.ts'
import type { Habit } from './steps.ts'
import { observeGone } from './writing.ts'

/** The server accepts the token before the current one for 10 s; then it is a stolen copy. */
const graceMs = 10_300

/** What a habit does now, and what is left to do at the end of the robot's day. */
export type Later = (() => Promise<void>) | undefined

export type Surroundings = { base: URL; stop: AbortSignal; victim: PostRef & { key: string } }

export async function performHabit(robot: Robot, habit: Habit, surroundings: Surroundings): Promise<Later> {
  switch (habit) {
    case 'device':
      await revokeDevice(robot)
      break
    case 'logout':
      await logOutAndIn(robot)
      break
    case 'password':
      await changePassword(robot)
      break
    case 'typo':
      await refusePassword(robot, 'a wrong password', randomPassword())
      break
    case 'trespass':
      await trespass(robot, surroundings.victim)
      break
    case 'return':
      await comeBack(robot, surroundings.base)
      break
    case 'tabs':
      await refreshInTwoTabs(robot)
      break
    case 'reuse':
      return await startReuse(robot, surroundings.stop)
    case 'export':
      if (await robot.confirmPassword()) await readExport(robot)
  }
  return undefined
}

async function revokeDevice(robot: Robot): Promise<void> {
  const device = await logInElsewhere(robot)
  const id = device.id
  if (id === null || !(await robot.confirmPassword())) return
  const call = { action: 'end session', method: 'DELETE', path: `/v1/sessions/${id}` } as const
  const result = await robot.orUnknown(() => robot.send(call))
  const endedAt = performance.now()
  robot.tally.count('session-revoked', result, 204)
  robot.tally.sessions.delete(id)
  if (result.status !== 204) return
  await mustBeRefused(robot, device.client, { what: 'a revoked session', call: ownAccount, statuses: [401], endedAt })
  await mustBeRefused(robot, device.client, {
    what: 'a revoked refresh',
    call: refreshSession,
    statuses: [401],
    endedAt,
  })
}

async function logOutAndIn(robot: Robot): Promise<void> {
  const copy = await robot.session.copy()
  await robot.logOut()
  const endedAt = performance.now()
  await mustBeRefused(robot, copy.client, { what: 'a session logged out', call: ownAccount, statuses: [401], endedAt })
  await robot.logIn()
}

async function changePassword(robot: Robot): Promise<void> {
  const { identity, session, tally } = robot
  const [device, copy] = [await logInElsewhere(robot), await session.copy()]
  const [currentPassword, newPassword] = [identity.password, nextPassword(identity)]
  const body = { currentPassword, newPassword }
  const call: Call = { action: 'change password', method: 'PUT', path: '/v1/account/password', body }
  const change = () => robot.context.authSlots.run(() => session.client.send(call))
  let result = await change()
  // With a second factor, the server wants a confirmation, and an earlier one may have expired.
  const isRequired = !result.isUncertain && result.cause === '403 confirmation-required'
  if (isRequired && (await robot.confirmPassword())) result = await change()
  const endedAt = performance.now()
  session.record(call, result, result.status === 204)
  tally.count('password-changed', result, 204)
  if (result.isUncertain) tally.hasUnknownSessions = true
  if (result.status !== 204) return await logInWithEither(robot, newPassword, currentPassword)
  identity.password = newPassword
  tally.sessions.clear()
  await robot.learnSession()
  for (const { client } of [copy, device])
    await mustBeRefused(robot, client, {
      what: 'a session before a new password',
      call: ownAccount,
      statuses: [401],
      endedAt,
    })
  await refusePassword(robot, 'the password before', currentPassword)
}

/** Without an answer, either password may be the right one. */
async function logInWithEither({ identity, session }: Robot, ...passwords: string[]): Promise<void> {
  for (const password of passwords) {
    identity.password = password
    const { status, interrupted } = await session.logIn()
    if (status === 200) return
    if (interrupted) throw new GaveUp(interruptedCause)
  }
  throw new GaveUp('neither password is right after a change without an answer')
}

/** @returns a session of the same account, as of another device. */
async function logInElsewhere(robot: Robot): Promise<Session> {
  const device = robot.newDevice()
  await device.logIn()
  return device
}

async function trespass(robot: Robot, victim: Surroundings['victim']): Promise<void> {
  const { directory } = robot.context
  await directory.whenKnown(victim.key)
  for (const key of [victim.key, ...directory.known]) {
    if (authorOf(key) === robot.username) continue
    const path = `/v1/posts/${directory.idOf(key)}`
    const observe = (answer: Pick<Answer, 'status'>) => observeGone(answer, registers.post(key))
    // The author may have deleted it.
    if ((await robot.send({ action: 'read post', method: 'GET', path, observe })).status === 200)
      return await tryToChange(robot, key, path)
  }
}

async function tryToChange(robot: Robot, key: string, path: string): Promise<void> {
  const calls: Call[] = [
    { action: 'must be refused', method: 'PATCH', path, body: { text: 'This is not my post.' } },
    { action: 'must be refused', method: 'DELETE', path },
  ]
  for (const call of calls)
    await mustBeRefused(robot, robot.session.client, {
      what: `${call.method} of ${key}, a post of another author,`,
      call,
      statuses: [403, 404],
    })
  await robot.reading(true).post(key)
}

async function comeBack(robot: Robot, base: URL): Promise<void> {
  const { jar } = robot.session
  const access = (await jar.getCookies(base.href)).find(({ key }) => /^(__Host-)?session$/.test(key))
  if (access?.domain && access.path) await jar.store.removeCookie(access.domain, access.path, access.key)
  await robot.reading().timeline(robot.username)
}

/** Only answers that came at once are judged: a token is accepted again for 10 s after its turn. */
const soonMs = 5_000

async function refreshInTwoTabs(robot: Robot): Promise<void> {
  const tab = await robot.session.copy()
  const startedAt = performance.now()
  const results = await Promise.all([robot.session.refreshOnly(), tab.refreshOnly()])
  const isClear = results.every(({ status, isUncertain }) => status !== null && !isUncertain)
  const statuses = results.map(({ status }) => status).join(' and ')
  const call = { action: 'read session', method: 'GET', path: '/v1/session' } as const
  if (isClear && performance.now() - startedAt < soonMs)
    await robot.send({
      ...call,
      observe: () => [
        {
          ...{ claim: 'N', object: `two tabs of ${robot.username} that refresh at once`, expected: '200 and 200' },
          ...{ seen: statuses, holds: statuses === '200 and 200' },
        },
      ],
    })
}

async function startReuse(robot: Robot, stop: AbortSignal): Promise<Later> {
  const stolen = await robot.session.copy()
  if ((await robot.session.refreshOnly()).status !== 200) return undefined
  const replacedAt = performance.now()
  return async () => {
    const left = replacedAt + graceMs - performance.now()
    await sleep(Math.max(0, left), undefined, { signal: stop }).catch(() => undefined)
    if (stop.aborted) return
    const isRefused = await mustBeRefused(robot, stolen.client, {
      what: 'an old refresh token',
      call: refreshSession,
      statuses: [401],
    })
    robot.tally.count('refresh-reused', { status: isRefused ? 401 : null, isUncertain: true }, 401)
    const endedAt = performance.now()
    const { client, id } = robot.session
    const what = 'a session whose old token was shown'
    if (isRefused) await mustBeRefused(robot, client, { what, call: ownAccount, statuses: [401], endedAt })
    else robot.tally.hasUnknownSessions = true
    if (id !== null) robot.tally.sessions.delete(id)
    await robot.logIn()
  }
}
