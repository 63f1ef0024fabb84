import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionOwner } from '../sessions/access-token.ts'
import type { Challenge, ChallengePurpose, ChallengeStore } from '../sessions/challenges.ts'
import type { SessionCookies } from '../sessions/cookies.ts'
import { readClientData } from './browser-responses.ts'

export type ChallengeContext = {
  challenges: Pick<ChallengeStore, 'issue' | 'readAll' | 'use'>
  cookies: Pick<SessionCookies, 'challenge' | 'clearChallenge' | 'setChallenge'>
}

/** @property subject - the session that asks; empty before a login */
export type Ceremony = { purpose: Exclude<ChallengePurpose, 'second-factor'>; subject: string }

export const loginCeremony: Ceremony = { purpose: 'passkey-login', subject: '' }

export const sessionCeremony = (
  purpose: 'passkey-registration' | 'passkey-confirm',
  { account, session }: SessionOwner,
): Ceremony => ({ purpose, subject: `${account}:${session}` })

export const challengeText = ({ value }: Challenge): string => value.toString('base64url')

/** Sets the cookie that binds the challenge to this browser. @returns what the authenticator is to sign */
export function issueChallenge(
  reply: FastifyReply,
  { purpose, subject }: Ceremony,
  { challenges, cookies }: ChallengeContext,
): string {
  const { token, challenge } = challenges.issue(purpose, subject)
  cookies.setChallenge(reply, 'passkey', token)
  return challengeText(challenge)
}

/** The browser's challenge that a response answers; if it answers none, one that it uses up all the same. */
export function presentedChallenge(
  request: FastifyRequest,
  { purpose, subject }: Ceremony,
  { clientDataJSON }: { clientDataJSON: string },
  { challenges, cookies }: ChallengeContext,
): Challenge | undefined {
  const presented = challenges.readAll(purpose, cookies.challenge(request, 'passkey'))
  const own = presented.filter((challenge) => challenge.subject === subject)
  const answered = readClientData(clientDataJSON)?.challenge
  return own.find((challenge) => challengeText(challenge) === answered) ?? own[0]
}
