import { z } from 'zod'

const base64url = (maxLength: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'Must be base64url without padding.')
    .max(maxLength, `Must have at most ${maxLength.toLocaleString('en')} characters.`)

/** At most 1,023 bytes (WebAuthn Level 3, 4). */
const CredentialId = base64url(1_364)

/**
 * What `toJSON()` of a browser's PublicKeyCredential returns. Not strict: browsers add members, and those that are not here
 * are not used.
 */
const credentialWith = <Shape extends z.ZodRawShape>(response: Shape) =>
  z.object({ id: CredentialId, type: z.enum(['public-key']), response: z.object(response) })

/** What browsers add to the challenge and the origin is short. */
const ClientDataJson = base64url(2_048)

export const RegistrationResponse = credentialWith({
  clientDataJSON: ClientDataJson,
  attestationObject: base64url(6_144),
  transports: z
    .array(z.string().regex(/^[a-z-]{1,32}$/, 'Must be the name of a transport.'))
    .max(10, 'Must have at most 10 items.')
    .optional(),
})

export type RegistrationResponse = z.infer<typeof RegistrationResponse>

export const AuthenticationResponse = credentialWith({
  clientDataJSON: ClientDataJson,
  // 37 bytes, and extensions that nothing has asked for: the library decodes them, which takes longer than all else.
  authenticatorData: base64url(684),
  signature: base64url(2_048),
  userHandle: base64url(128).nullish(),
})

export type AuthenticationResponse = z.infer<typeof AuthenticationResponse>

const ClientData = z.object({ challenge: z.string(), crossOrigin: z.boolean().optional() })

/** What the browser says it has shown to the authenticator; undefined if it cannot be read. */
export function readClientData(clientDataJSON: string): z.infer<typeof ClientData> | undefined {
  try {
    return ClientData.parse(JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString()))
  } catch {
    return undefined
  }
}

/** Examples for the API's document, as Chromium makes them. */
export const exampleRegistration = {
  id: 'kWXk0x0k2iOqvNdqVq5uJ3yUu0kqQ3cP0Wq2m9c1x7E',
  type: 'public-key',
  response: {
    clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0',
    attestationObject: 'o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA',
    transports: ['internal'],
  },
} as const

export const exampleAuthentication = {
  id: exampleRegistration.id,
  type: 'public-key',
  response: {
    clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0',
    authenticatorData: 'SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ',
    signature: 'MEUCIQDB2nKpIiYkxH3bJfJbNQ',
    userHandle: 'AZqw8n0xfESaXi9rjB0ONw',
  },
} as const
