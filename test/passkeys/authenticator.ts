import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { z } from 'zod'
import type { CreationOptions, RequestOptions } from '../../src/passkeys/schema.ts'
import { type Cbor, encodeCbor } from './cbor.ts'

export type Creation = z.infer<typeof CreationOptions>
export type Request = z.infer<typeof RequestOptions>

/** What an authenticator, or an attacker in its place, does otherwise than it is asked. */
export type Lies = Partial<{
  origin: string
  rpId: string
  type: string
  challenge: string
  crossOrigin: boolean
  userVerified: boolean
  userPresent: boolean
  backedUp: boolean
  counter: number
  attestation: 'packed'
  credentialIdBytes: number
  publicKeyBytes: number
  /** Outputs of extensions, as CBOR. */
  extensions: Buffer
  /** Of an RSA key, with `publicKeyBytes`. */
  exponent: Buffer
  curve: 'P-521'
}>

type Credential = { id: Buffer; privateKey: KeyObject; userHandle: string; counter: number }

const flag = { userPresent: 1, userVerified: 4, backupEligible: 8, backedUp: 16, attested: 64, extensions: 128 }

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest()
const textOf = (bytes: Buffer) => bytes.toString('base64url')

/** ES256 (RFC 9053, 2.1), with P-256 unless it lies; with `publicKeyBytes`, an RSA key of about that length. */
function coseKey(publicKey: KeyObject, { publicKeyBytes, exponent = Buffer.from([1, 0, 1]), curve }: Lies): Cbor {
  if (publicKeyBytes !== undefined)
    return new Map<number, Cbor>([
      [1, 3],
      [3, -257],
      [-1, randomBytes(publicKeyBytes)],
      [-2, exponent],
    ])
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const coordinate = (text: string) => Buffer.from(text, 'base64url')
  return new Map<number, Cbor>([
    [1, 2],
    [3, -7],
    [-1, curve === 'P-521' ? 3 : 1],
    [-2, coordinate(x)],
    [-3, coordinate(y)],
  ])
}

/** A passkey provider in software, with the browser around it: WebAuthn Level 3, 6.1 and 6.5. ES256 only. */
export function softwareAuthenticator(origin: string, { counts = true } = {}) {
  const credentials: Credential[] = []

  function clientData(type: string, challenge: string, lies: Lies): Buffer {
    const { crossOrigin = false } = lies
    const data = { type: lies.type ?? type, challenge: lies.challenge ?? challenge, origin: lies.origin ?? origin }
    return Buffer.from(JSON.stringify({ ...data, crossOrigin }))
  }

  function authenticatorData(rpId: string, counter: number, lies: Lies, attested = Buffer.alloc(0)): Buffer {
    const { userPresent = true, userVerified = true, backedUp = false, extensions = Buffer.alloc(0) } = lies
    const flags =
      (userPresent ? flag.userPresent : 0) |
      (userVerified ? flag.userVerified : 0) |
      (backedUp ? flag.backupEligible | flag.backedUp : 0) |
      (attested.length > 0 ? flag.attested : 0) |
      (extensions.length > 0 ? flag.extensions : 0)
    const count = Buffer.alloc(4)
    count.writeUInt32BE(lies.counter ?? counter)
    return Buffer.concat([sha256(lies.rpId ?? rpId), Buffer.from([flags]), count, attested, extensions])
  }

  return {
    credentials,

    /** navigator.credentials.create() */
    create({ challenge, rp, user }: Creation, lies: Lies = {}) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: lies.curve ?? 'P-256' })
      const id = randomBytes(lies.credentialIdBytes ?? 32)
      const credential = { id, privateKey, userHandle: user.id, counter: counts ? 1 : 0 }
      credentials.push(credential)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(id.length)
      const attested = Buffer.concat([Buffer.alloc(16), length, id, encodeCbor(coseKey(publicKey, lies))])
      const authData = authenticatorData(rp.id, credential.counter, lies, attested)
      const clientDataJSON = clientData('webauthn.create', challenge, lies)
      const certificate = encodeCbor(new Map([['x5c', randomBytes(64)]]))
      const statement = lies.attestation === 'packed' ? certificate : encodeCbor(new Map())
      const attestationObject = Buffer.concat([
        Buffer.from([0xa3]),
        ...[encodeCbor('fmt'), encodeCbor(lies.attestation ?? 'none')],
        ...[encodeCbor('attStmt'), statement],
        ...[encodeCbor('authData'), encodeCbor(authData)],
      ])
      return {
        id: textOf(id),
        rawId: textOf(id),
        type: 'public-key',
        authenticatorAttachment: 'platform',
        clientExtensionResults: {},
        response: {
          clientDataJSON: textOf(clientDataJSON),
          attestationObject: textOf(attestationObject),
          transports: ['internal'],
        },
      }
    },

    /** navigator.credentials.get() @param index - of its passkeys, in the order of their creation */
    get({ challenge, rpId }: Request, lies: Lies = {}, index = 0) {
      const credential = credentials[index]
      if (!credential) throw new Error('the authenticator has no such passkey')
      if (counts) credential.counter += 1
      const authData = authenticatorData(rpId, credential.counter, lies)
      const clientDataJSON = clientData('webauthn.get', challenge, lies)
      const signature = sign('sha256', Buffer.concat([authData, sha256(clientDataJSON)]), credential.privateKey)
      return {
        id: textOf(credential.id),
        rawId: textOf(credential.id),
        type: 'public-key',
        authenticatorAttachment: 'platform',
        clientExtensionResults: {},
        response: {
          clientDataJSON: textOf(clientDataJSON),
          authenticatorData: textOf(authData),
          signature: textOf(signature),
          userHandle: credential.userHandle,
        },
      }
    },
  }
}

export type Authenticator = ReturnType<typeof softwareAuthenticator>
