import { setTimeout as sleep } from 'node:timers/promises'
import * as schemas from '../api-schemas.ts'
import type { Call, CallResult } from '../call.ts'
import { registers } from '../history/registers.ts'
import { AuthenticatorApp } from './authenticator-app.ts'
import { isFactorRequired, observeSecondFactor } from './observe-second-factor.ts'
import { mustBeRefused, refuseFactor } from './refusals.ts'
import type { Robot } from './robot.ts'
import { readBody, type Session } from './session.ts'

/** Longer in all than chaos shifts the server's clock, whose codes are others until then. */
const maxEnrolments = 4
const pauseMs = 3_000

const paths = { factor: '/v1/second-factor', app: '/v1/second-factor/totp' }
const beginning: Call = {
  ...{ action: 'begin enrolment', method: 'POST', path: paths.app },
  // The refusal is no error.
  observe: (answer) =>
    isDeclined(answer)
      ? [
          {
            claim: 'N',
            object: 'an app at a server that takes none',
            expected: 'a refusal',
            seen: 'a refusal',
            holds: true,
          },
        ]
      : [],
}
const removal: Call = { action: 'remove second factor', method: 'DELETE', path: paths.app }

/** By a server without TOTP_KEYS, or of an earlier version. */
function isDeclined({ status, body }: Pick<CallResult, 'status' | 'body'>): boolean {
  return status === 404 || (status === 403 && schemas.problem.safeParse(body).data?.code === 'forbidden')
}

/** Makes an app the second factor of the robot's account, if the server takes apps. */
export async function enrol(robot: Robot, stop: AbortSignal): Promise<void> {
  for (let tries = 1; tries <= maxEnrolments; tries += 1) {
    if (tries > 1) await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined)
    if (!(await robot.confirmPassword())) return
    const isLast = tries === maxEnrolments
    const begun = await sendOnce(robot, beginning)
    const secret = readBody(begun, 201, schemas.totpEnrolment)?.secret
    const isExpired = begun.cause === '403 confirmation-required' && !isLast
    robot.session.recordOrGiveUp(beginning, begun, secret !== undefined || isDeclined(begun) || isExpired)
    if (secret === undefined && !isExpired) return
    if (secret !== undefined && (await confirmEnrolment(robot, secret, isLast))) return
  }
}

/** @returns whether nothing is left to try: a code is refused while the server's clock is wrong */
async function confirmEnrolment(robot: Robot, secret: string, isLast: boolean): Promise<boolean> {
  const { identity, session, tally, username } = robot
  const app = new AuthenticatorApp(username, secret)
  const factor = await app.next()
  const call: Call = {
    ...{ action: 'enrol', method: 'POST', path: `${paths.app}/confirm`, body: factor.body },
    writes: [{ register: registers.secondFactor(username), value: true }, ...app.writesOfRecoveryCodes(true)],
  }
  // Without an answer, its codes may be needed.
  identity.app = app
  app.state = 'unknown'
  const result = await sendOnce(robot, call)
  tally.count('totp-enrolled', result, 200)
  tally.count('second-factor-failed', { status: null, isUncertain: result.status === 401 || result.isUncertain }, 401)
  const isRefused = !result.isUncertain && (result.status === 401 || result.status === 403)
  // The attempt before it has enrolled the app, and its answer was lost.
  const mayBeEnrolled = result.isUncertain && result.status !== null
  session.recordOrGiveUp(call, result, result.status === 200 || mayBeEnrolled || (isRefused && !isLast))
  if (isRefused) identity.app = null
  if (isRefused) return false
  if (result.status === 200) {
    app.state = 'on'
    app.used = factor.body
    app.recoveryCodes = readBody(result, 200, schemas.recoveryCodes)?.recoveryCodes ?? []
  } else if (await readSecondFactor(robot)) {
    app.state = 'on'
    await replaceRecoveryCodes(robot, app)
  }
  return true
}

async function replaceRecoveryCodes(robot: Robot, app: AuthenticatorApp): Promise<void> {
  if (!(await robot.confirmPassword())) return
  const call: Call = {
    ...{ action: 'replace recovery codes', method: 'POST', path: `${paths.factor}/recovery-codes` },
    writes: app.writesOfRecoveryCodes(true),
  }
  const result = await sendOnce(robot, call)
  robot.tally.count('recovery-codes-replaced', result, 200)
  robot.session.recordOrGiveUp(call, result, result.status === 200)
  const codes = readBody(result, 200, schemas.recoveryCodes)?.recoveryCodes
  // An attempt without an answer may replace them yet.
  if (codes && !result.isUncertain) app.recoveryCodes = codes
}

/** Reads whether the account has a second factor. Resolves to null when the answer does not say. */
export async function readSecondFactor(
  robot: Robot,
  send: (call: Call) => Promise<CallResult> = (call) => robot.send(call),
): Promise<boolean | null> {
  let isOn: boolean | null = null
  await send({
    ...{ action: 'read second factor', method: 'GET', path: paths.factor },
    observe: ({ status, body }) => {
      const read = status === 200 ? schemas.secondFactor.safeParse(body).data : undefined
      if (!read) return []
      isOn = read.totp !== null
      return observeSecondFactor(robot.username, read)
    },
  })
  return isOn
}

/** Logs in with a code, a recovery code and a trusted device, and tries what must be refused. */
export async function useCodes(robot: Robot): Promise<void> {
  const { app } = robot.identity
  if (app?.state !== 'on') return
  const trusted = robot.newDevice()
  const madeUp = () => refuseFactor(robot, trusted, 'a made-up code', { code: app.madeUpCode() })
  await trusted.logIn({ trust: true, between: madeUp })
  await tryWithoutFactor(robot, trusted)
  if (trusted.isTrusted) await trusted.logIn()

  const other = robot.newDevice()
  const { code } = app.used
  const usedCode = async () => {
    if (code !== undefined) await refuseFactor(robot, other, 'a used code', { code })
  }
  await other.logIn({ by: 'recovery code', between: usedCode })

  const { recoveryCode } = app.used
  const thief = robot.newDevice()
  if (recoveryCode !== undefined && isFactorRequired(await thief.givePassword()))
    await refuseFactor(robot, thief, 'a used recovery code', { recoveryCode })
  await readSecondFactor(robot)
}

/** What a session can do that was taken from its owner, with the password. */
async function tryWithoutFactor(robot: Robot, { client }: Session): Promise<void> {
  const { password } = robot.identity
  const confirmation: Call = {
    ...{ action: 'must be refused', method: 'POST', path: '/v1/session/confirm', body: { password } },
  }
  await robot.context.authSlots.run(() =>
    mustBeRefused(robot, client, { what: 'a confirmation without a code', call: confirmation, statuses: [401] }),
  )
  const call: Call = { ...removal, action: 'must be refused' }
  const what = 'removing the second factor without a confirmation'
  await mustBeRefused(robot, client, { what, call, statuses: [401, 403] })
}

/** Removes the second factor, and logs in elsewhere with the password alone. */
export async function returnToPassword(robot: Robot): Promise<void> {
  await removeSecondFactor(robot)
  if (robot.identity.app?.state === 'off') await robot.newDevice().logIn()
}

/** Removes the second factor, if there may be one. */
export async function removeSecondFactor(robot: Robot): Promise<void> {
  const { identity, session, tally, username } = robot
  const { app } = identity
  if (!app || app.state === 'off' || !(await robot.confirmPassword())) return
  const before = app.state
  const call: Call = {
    ...removal,
    writes: [{ register: registers.secondFactor(username), value: false }, ...app.writesOfRecoveryCodes(false)],
  }
  app.state = 'unknown'
  let result = await session.send(call)
  // The confirmation has expired since, as when the server's clock jumps.
  if (result.status === 403 && (await robot.confirmPassword())) result = await session.send(call)
  tally.count('totp-removed', before === 'on' ? result : { status: null, isUncertain: true }, 204)
  if (result.status === 204) app.state = 'off'
  else if (result.status !== null && !result.isUncertain) app.state = before
  session.recordOrGiveUp(call, result, result.status === 204)
  await readSecondFactor(robot)
}

/** Sends what cannot be sent twice on purpose: only the first answer has the secret, or the codes. */
function sendOnce({ session }: Robot, call: Call): Promise<CallResult> {
  return session.send(call, session.client, false)
}
