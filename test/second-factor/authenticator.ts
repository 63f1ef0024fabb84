import { createHmac } from 'node:crypto'
import type { Db } from 'mongodb'
import type { Test } from 'tap'
import { makeClient, password, signUp } from '../helper.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const stepMs = 30_000

function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

/** The code of an app (RFC 6238). @param offset - in steps from the present one */
export function codeOf(secret: string, offset = 0, nowMs = Date.now()): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / stepMs) + offset))
  const mac = createHmac('sha1', fromBase32(secret)).update(counter).digest()
  const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff
  return String(number % 1_000_000).padStart(6, '0')
}

/** A code that no step around the present one has. */
export function wrongCodeOf(secret: string): string {
  const right = [-3, -2, -1, 0, 1, 2, 3].map((offset) => codeOf(secret, offset))
  for (let n = 0; ; n += 1) {
    const code = String(n).padStart(6, '0')
    if (!right.includes(code)) return code
  }
}

type Client = ReturnType<typeof makeClient>
type Enrolment = { secret: string; uri: string; qrCode: string }

export const confirm = (client: Client, factor: object = {}) =>
  client.post<{ code?: string }>('v1/session/confirm', { json: { password, ...factor } })

/** Begins an enrolment in a session that is confirmed. */
export async function beginEnrolment(client: Client): Promise<Enrolment> {
  const { statusCode, body } = await client.post<Enrolment>('v1/second-factor/totp')
  if (statusCode !== 201) throw new Error(`the enrolment was answered ${statusCode}`)
  return body
}

/** Enrols an app. The session of the client is confirmed then. */
export async function enrol(client: Client) {
  await confirm(client)
  const { secret } = await beginEnrolment(client)
  const json = { code: codeOf(secret) }
  const answer = await client.post<{ recoveryCodes: string[] }>('v1/second-factor/totp/confirm', { json })
  if (answer.statusCode !== 200) throw new Error(`the code was answered ${answer.statusCode}`)
  return { secret, recoveryCodes: answer.body.recoveryCodes }
}

/** As if the codes of the present time had not been used: a test does not wait for the next one. */
export async function forgetSteps(db: Db): Promise<void> {
  await db.collection('secondFactors').updateMany({ totp: { $exists: true } }, { $set: { 'totp.lastStep': 0 } })
}

/** The first step of a login: the client then has the challenge. */
export const firstStep = (client: Client, username: string, given = password) =>
  client.post<{ code?: string }>('v1/session', { json: { username, password: given } })

export const secondStep = (client: Client, json: object) =>
  client.post<{ code?: string }>('v1/session/second-factor', { json })

/** Accounts of a server that have an app, whose codes have not been used; and browsers that have passed the first step. */
export function accountsOn(t: Test, { url, db }: { url: string; db: Db }) {
  return {
    async enrolled() {
      const { client, username } = await signUp(url)
      const factor = await enrol(client)
      await forgetSteps(db)
      return { client, username, ...factor }
    },
    async begin(username: string, given = password) {
      const client = makeClient(url)
      t.match(await firstStep(client, username, given), { statusCode: 401, body: { code: 'second-factor-required' } })
      return client
    },
  }
}
