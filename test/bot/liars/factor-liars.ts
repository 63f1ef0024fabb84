import type { Forward, ProxiedRequest, Reply } from '../lying-proxy.ts'
import { changing, type Liar } from './liar.ts'

const paths = { confirm: '/v1/session/confirm', factor: '/v1/second-factor', app: '/v1/second-factor/totp' }
const secondStep = '/v1/session/second-factor'
const enrolment = `${paths.app}/confirm`

const codeOf = ({ body }: Reply): unknown => JSON.parse(body || '{}').code
const isRefused = (reply: Reply) => reply.status === 401 && codeOf(reply) === 'invalid-credentials'

/** The account of a session, or of a login's second step. */
function accountOf(cookie: string): string {
  const [, challenged] = /second-factor=second-factor\.([\w-]+):/.exec(decodeURIComponent(cookie)) ?? []
  if (challenged !== undefined) return challenged
  const [, claims = ''] = /(?:^|; )session=[^.]+\.([^.]+)/.exec(cookie) ?? []
  return claims && JSON.parse(Buffer.from(claims, 'base64url').toString()).sub
}

/** What a liar overhears, so that it can log a robot in: recovery codes, and what has served. */
class Eavesdropper {
  #recoveryCodes = new Map<string, string[]>()
  #used = new Set<string>()

  note({ path, cookie, body }: ProxiedRequest, reply: Reply): Reply {
    if (reply.status !== 200) return reply
    if (path === enrolment) this.#recoveryCodes.set(accountOf(cookie), JSON.parse(reply.body).recoveryCodes)
    if (path === enrolment || path === secondStep || path === paths.confirm) {
      const { code, recoveryCode } = JSON.parse(body)
      const factor = code ?? recoveryCode
      if (factor !== undefined) this.#used.add(`${accountOf(cookie)} ${factor}`)
    }
    return reply
  }

  isUsed(cookie: string, factor: string | undefined): boolean {
    return this.#used.has(`${accountOf(cookie)} ${factor}`)
  }

  /** Takes the second step with a recovery code of the account, one that its robot uses last. */
  logIn(cookie: string, forward: Forward): Promise<Reply> {
    const recoveryCode = this.#recoveryCodes.get(accountOf(cookie))?.pop()
    return forward({ path: secondStep, cookie, body: JSON.stringify({ recoveryCode }) })
  }
}

/** Accepts what has served as the second step of a login once more. */
const acceptingAgain = (kind: 'code' | 'recoveryCode') => () => {
  const overheard = new Eavesdropper()
  return async (request: ProxiedRequest, forward: Forward) => {
    const reply = overheard.note(request, await forward())
    if (request.path !== secondStep || !isRefused(reply)) return reply
    return overheard.isUsed(request.cookie, JSON.parse(request.body)[kind])
      ? overheard.logIn(request.cookie, forward)
      : reply
  }
}

/** They lie about second factors. */
export const factorLiars: Liar[] = [
  {
    ...{ name: 'the password alone logs in beside a second factor', rules: ['N'] },
    create: () => {
      const overheard = new Eavesdropper()
      return async (request, forward) => {
        const reply = overheard.note(request, await forward())
        if (request.path !== '/v1/session' || codeOf(reply) !== 'second-factor-required') return reply
        const challenge = reply.setCookie?.map((cookie) => cookie.split(';')[0]).join('; ') ?? ''
        return overheard.logIn(challenge, forward)
      }
    },
  },
  { name: 'a used code works again', rules: ['N'], create: acceptingAgain('code') },
  { name: 'a used recovery code works again', rules: ['N'], create: acceptingAgain('recoveryCode') },
  {
    ...{ name: 'a second factor is removed without a confirmation', rules: ['N'] },
    create: () => async (request, forward) => {
      const reply = await forward()
      const isRemoval = request.method === 'DELETE' && request.path === paths.app
      return isRemoval && reply.status === 403 ? { status: 204, body: '' } : reply
    },
  },
  {
    ...{ name: 'the removal of a second factor has no effect', rules: ['R'] },
    create: () => async (request, forward) =>
      request.method === 'DELETE' && request.path === paths.app ? { status: 204, body: '' } : forward(),
  },
  {
    ...{ name: 'used recovery codes are not counted', rules: ['C'] },
    create: () =>
      changing<{ totp: object | null; recoveryCodesLeft: number }>(
        ({ method, path }) => method === 'GET' && path === paths.factor,
        ({ totp, recoveryCodesLeft }) => ({ totp, recoveryCodesLeft: totp ? 10 : recoveryCodesLeft }),
      ),
  },
]
