import type { CookieJar } from 'tough-cookie'
import type { Call } from '../call.ts'
import { answered, type Exchange, unanswered } from '../exchange.ts'
import { notSentWhole, sentAndCut } from '../history/operation.ts'
import { urlOf } from '../options/server-url.ts'
import type { Planned } from './misbehaviour.ts'
import { cutRequest, type RawRequest, readSlowly } from './raw-request.ts'

const maxCutDelayMs = 30
const maxPauseMs = 400

/** `cookie` replaces those of the jar. */
export type Way = { base: URL; ca: string | undefined; timeoutMs: number; jar: CookieJar; cookie: string | null }

/** Sends a call over a connection of its own, and misbehaves. Never rejects. */
export async function misbehave(
  { misdeed, fraction }: Planned,
  call: Call,
  { base, ca, timeoutMs, jar, cookie }: Way,
): Promise<Exchange> {
  const url = urlOf(base, call.path)
  const body = call.body && JSON.stringify(call.body)
  const request: RawRequest = {
    ...{ url, method: call.method, body, ca, timeoutMs },
    headers: {
      ...{ 'user-agent': 'rookery-bot', accept: 'application/json', connection: 'close' },
      cookie: cookie ?? (await jar.getCookieString(url.href)),
      ...(call.key && { 'idempotency-key': call.key }),
      ...(body && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    },
  }
  if (misdeed === 'cut before' || misdeed === 'cut after') {
    const isWhole = misdeed === 'cut after'
    await cutRequest(request, isWhole, fraction * maxCutDelayMs)
    return unanswered(isWhole ? sentAndCut : notSentWhole)
  }
  try {
    return answered(await readSlowly(request, misdeed === 'slow reader' ? fraction * maxPauseMs : 0))
  } catch {
    return unanswered('timeout')
  }
}
