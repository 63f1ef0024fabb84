import type { FastifyRequest } from 'fastify'
import { type ClientSession, UUID } from 'mongodb'
import type { z } from 'zod'
import type { FailedLogins } from '../activity/failed-logins.ts'
import { Problem } from '../http/problems.ts'
import { limitWindowSeconds } from '../limits/headers.ts'
import { recentMap } from '../limits/recent-map.ts'
import type { SecurityLog } from '../operations/security-log.ts'
import { type Challenge, challengeSeconds } from '../sessions/challenges.ts'
import { isInvalidCredentials } from '../sessions/log-in.ts'
import { type AuthenticationResponse, readClientData } from './browser-responses.ts'
import { type ChallengeContext, challengeText } from './challenge.ts'
import type { PasskeyDocument } from './model.ts'
import type { RelyingParty } from './relying-party.ts'
import type { RequestOptions } from './schema.ts'
import type { Assertion, CredentialDescriptor, PasskeyStore } from './store.ts'
import { loadWebauthn } from './webauthn-library.ts'

export type AssertionContext = ChallengeContext & {
  failedLogins: FailedLogins
  passkeys: Pick<PasskeyStore, 'find' | 'use'>
  securityLog: SecurityLog
}

const idBytes = 16

/** One answer for every reason. */
export const passkeyRefused = () =>
  new Problem('invalid-credentials', 'The passkey was not accepted: ask for new options, and try again.')

/** @param allowed - empty: whichever passkey the authenticator has */
export function requestOptions(
  challenge: string,
  party: RelyingParty,
  allowed: CredentialDescriptor[],
): z.infer<typeof RequestOptions> {
  const timeout = challengeSeconds * 1_000
  return { challenge, rpId: party.id, allowCredentials: allowed, timeout, userVerification: 'required' }
}

/** The account that a passkey was registered for, as the authenticator says. */
export function claimedAccount({ response: { userHandle } }: AuthenticationResponse): string | undefined {
  const bytes = Buffer.from(userHandle ?? '', 'base64url')
  return bytes.length === idBytes ? new UUID(bytes).toString() : undefined
}

async function verifyAssertion(
  { id, type, response }: AuthenticationResponse,
  passkey: PasskeyDocument,
  challenge: Challenge,
  party: RelyingParty,
): Promise<Assertion | undefined> {
  const { clientDataJSON, authenticatorData, signature } = response
  // The library permits it without a `topOrigin`. No page of ours is shown within another site's.
  if (readClientData(clientDataJSON)?.crossOrigin) return undefined
  const { verifyAuthenticationResponse } = await loadWebauthn()
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: {
        id,
        rawId: id,
        type,
        response: { clientDataJSON, authenticatorData, signature },
        clientExtensionResults: {},
      },
      expectedChallenge: challengeText(challenge),
      expectedOrigin: party.origins,
      expectedRPID: party.id,
      // The library compares counters before it verifies the signature, so a stranger could have a clone reported.
      credential: { id, publicKey: new Uint8Array(passkey.publicKey.buffer), counter: 0 },
      requireUserVerification: true,
    })
    const { newCounter, credentialBackedUp, credentialDeviceType } = authenticationInfo
    // WebAuthn Level 3, 7.2, step 19: it never changes.
    if (!verified || credentialDeviceType !== passkey.deviceType) return undefined
    return { passkey, counter: newCounter, backedUp: credentialBackedUp, at: new Date() }
  } catch {
    // The library throws for each fault of a response.
    return undefined
  }
}

type Claim = {
  response: AuthenticationResponse
  party: RelyingParty
  challenge: Challenge
  passkey: PasskeyDocument | undefined
}

/**
 * Verifies a response, and uses up the challenge that it presents, whatever it is worth. First the signature, which costs
 * less than the write.
 * @param assertRoom - called before the write for a response that is refused
 * @returns undefined if it is refused
 */
export async function acceptAssertion(
  request: FastifyRequest,
  { response, party, challenge, passkey }: Claim,
  context: AssertionContext,
  assertRoom: () => void = () => {},
): Promise<Assertion | undefined> {
  const assertion = passkey && (await verifyAssertion(response, passkey, challenge, party))
  // The first report of a copy is not lost to failures that came before it from the same address.
  if (!assertion || (isCounterBack(assertion) && isReported(assertion.passkey))) assertRoom()
  const { outcome } = await context.challenges.use(challenge)
  // A replay is no sign of a clone.
  if (!assertion || outcome === 'already-used') return undefined
  if (!isCounterBack(assertion)) return assertion
  await reportClone(request, assertion.passkey, context)
  return undefined
}

const isCounterBack = ({ counter, passkey }: Assertion) => passkey.counter !== 0 && counter <= passkey.counter

/** When copies of a passkey were reported last by this process. */
const reported = recentMap<number>(10_000)

const isReported = ({ _id }: PasskeyDocument): boolean =>
  performance.now() - (reported.get(_id.toString()) ?? Number.NEGATIVE_INFINITY) < limitWindowSeconds * 1_000

async function reportClone(
  request: FastifyRequest,
  passkey: PasskeyDocument,
  { failedLogins, securityLog }: AssertionContext,
): Promise<void> {
  const account = passkey.account.toString()
  reported.set(passkey._id.toString(), performance.now())
  securityLog.record('authn_passkey_cloned', { request, account })
  await failedLogins.record(account, request.client, 'passkey-cloned')
}

/**
 * @param work - calls the function that it gets in its transaction, which then counts the use
 * @throws Problem `invalid-credentials` if the passkey was removed or used since it was verified, or for the work's reasons
 */
export async function withAssertion<T>(
  request: FastifyRequest,
  assertion: Assertion,
  context: AssertionContext,
  work: (useUp: (transaction: ClientSession) => Promise<void>) => Promise<T>,
): Promise<T> {
  let isCloned = false
  try {
    return await work(async (transaction) => {
      const { outcome } = await context.passkeys.use(assertion, transaction)
      isCloned = outcome === 'counter-back'
      if (outcome !== 'used') throw passkeyRefused()
    })
  } catch (error) {
    if (isCloned) await reportClone(request, assertion.passkey, context)
    throw isInvalidCredentials(error) ? passkeyRefused() : error
  }
}
