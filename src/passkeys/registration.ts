import { Binary } from 'mongodb'
import type { z } from 'zod'
import { toUuid } from '../database/ids.ts'
import { type Challenge, challengeSeconds } from '../sessions/challenges.ts'
import { type RegistrationResponse, readClientData } from './browser-responses.ts'
import { challengeText } from './challenge.ts'
import type { PasskeyRecord } from './model.ts'
import type { RelyingParty } from './relying-party.ts'
import type { CreationOptions } from './schema.ts'
import { type CredentialDescriptor, credentialBytes } from './store.ts'
import { loadWebauthn, loadWebauthnHelpers } from './webauthn-library.ts'

/** Of COSE (RFC 9053), in the order of preference: EdDSA, ES256, and RS256 for Windows Hello. */
const algorithms = [-8, -7, -257]

/** What precedes the credential id in authenticator data, its length included (WebAuthn Level 3, 6.1 and 6.5.1). */
const bytesBeforeId = 55
/** With extensions that nothing has asked for, which the library decodes. An RSA key of 4,096 bits has 530. */
const maxPublicKeyBytes = 1_024

/** 65,537, as all authenticators have it. To verify with one as long as the modulus takes 8 ms in place of 0.1 ms. */
const rsaExponent = Buffer.from([1, 0, 1])

type Owner = { id: string; username: string; displayName: string }

/** The user handle of an account: its id, which says nothing about the person (WebAuthn Level 3, 14.6.1). */
export const userHandleOf = (account: string): string => Buffer.from(toUuid(account).buffer).toString('base64url')

/** Discoverable, so that it logs in alone, and with user verification, so that it is two factors. */
export function creationOptions(
  { id, username, displayName }: Owner,
  challenge: string,
  party: RelyingParty,
  existing: CredentialDescriptor[],
): z.infer<typeof CreationOptions> {
  return {
    challenge,
    rp: { id: party.id, name: 'Rookery' },
    user: { id: userHandleOf(id), name: username, displayName },
    pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })),
    timeout: challengeSeconds * 1_000,
    attestation: 'none',
    excludeCredentials: existing,
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
  }
}

/**
 * As a browser does that is asked for no attestation. The library would verify the certificates of one, and fetch lists of
 * revoked ones from the addresses in them.
 */
async function withoutAttestation(attestationObject: string): Promise<string> {
  const { decodeAttestationObject, isoBase64URL, isoCBOR } = await loadWebauthnHelpers()
  const authData = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject)).get('authData')
  const idBytes = Buffer.from(authData).readUInt16BE(bytesBeforeId - 2)
  if (authData.length - bytesBeforeId - idBytes > maxPublicKeyBytes) throw new Error('the public key is too long')
  const parts = { fmt: 'none', attStmt: new Map(), authData }
  return isoBase64URL.fromBuffer(isoCBOR.encode(new Map(Object.entries(parts))))
}

/** ES256 is on P-256 alone (WebAuthn Level 3, 5.8.5): P-521 takes more than twice as long. */
async function isCheapToVerify(publicKey: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const { cose, decodeCredentialPublicKey } = await loadWebauthnHelpers()
  const key = decodeCredentialPublicKey(publicKey)
  if (cose.isCOSEPublicKeyEC2(key)) return key.get(cose.COSEKEYS.crv) === cose.COSECRV.P256
  return !cose.isCOSEPublicKeyRSA(key) || rsaExponent.equals(key.get(cose.COSEKEYS.e) ?? Buffer.alloc(0))
}

/** @returns undefined for a response that does not answer the challenge with a new passkey of this relying party */
export async function verifyRegistration(
  { id, type, response }: RegistrationResponse,
  challenge: Challenge,
  party: RelyingParty,
): Promise<PasskeyRecord | undefined> {
  const { clientDataJSON, attestationObject, transports = [] } = response
  // The library does not look at it. No page of ours is shown within another site's.
  if (readClientData(clientDataJSON)?.crossOrigin) return undefined
  const { verifyRegistrationResponse } = await loadWebauthn()
  try {
    const { registrationInfo } = await verifyRegistrationResponse({
      response: {
        id,
        rawId: id,
        type,
        response: { clientDataJSON, attestationObject: await withoutAttestation(attestationObject) },
        clientExtensionResults: {},
      },
      expectedChallenge: challengeText(challenge),
      expectedOrigin: party.origins,
      expectedRPID: party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
    })
    if (!registrationInfo) return undefined
    const { aaguid, credential, credentialBackedUp, credentialDeviceType } = registrationInfo
    if (credential.id !== id || !(await isCheapToVerify(credential.publicKey))) return undefined
    return {
      credential: credentialBytes(id),
      publicKey: new Binary(credential.publicKey),
      counter: credential.counter,
      deviceType: credentialDeviceType,
      backedUp: credentialBackedUp,
      transports,
      aaguid,
    }
  } catch {
    // The library throws for each fault of a response.
    return undefined
  }
}
