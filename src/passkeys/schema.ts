import { z } from 'zod'
import { exampleUsername } from '../accounts/schema.ts'
import { pageOf } from '../http/pages.ts'
import { name } from '../http/text.ts'
import { Id, Time } from '../http/wire-types.ts'
import { PresentedUsername } from '../sessions/schema.ts'
import {
  AuthenticationResponse,
  exampleAuthentication,
  exampleRegistration,
  RegistrationResponse,
} from './browser-responses.ts'

const exampleName = 'Robin’s phone'

const Name = name({ max: 50 })

export const PasskeyView = z
  .object({
    id: Id,
    name: z.string().meta({ examples: [exampleName] }),
    createdAt: Time,
    lastUsedAt: Time.nullable(),
    backedUp: z.boolean().describe('Whether a copy exists outside of the device.'),
  })
  .meta({ id: 'Passkey' })

export const PasskeyPage = pageOf(PasskeyView).meta({ id: 'PasskeyPage' })

export const PasskeyBody = z
  .strictObject({ response: RegistrationResponse, name: Name.optional() })
  .meta({ examples: [{ response: exampleRegistration, name: exampleName }] })

export const RenameBody = z.strictObject({ name: Name }).meta({ examples: [{ name: exampleName }] })

export const PasskeyParams = z.object({ id: Id })

export const LoginOptionsBody = z
  .strictObject({ username: PresentedUsername.optional() })
  .meta({ examples: [{ username: exampleUsername }] })

export const PasskeyLoginBody = z
  .strictObject({ response: AuthenticationResponse, username: PresentedUsername.optional() })
  .meta({ examples: [{ response: exampleAuthentication, username: exampleUsername }] })

const Bytes = z.string().describe('Bytes in base64url.')
const required = z.enum(['required'])
const publicKey = z.enum(['public-key'])

const CredentialDescriptor = z.object({ id: Bytes, type: publicKey, transports: z.array(z.string()) })

export const CreationOptions = z
  .object({
    challenge: Bytes,
    rp: z.object({ id: z.string(), name: z.string() }),
    user: z.object({ id: Bytes, name: z.string(), displayName: z.string() }),
    pubKeyCredParams: z.array(z.object({ type: publicKey, alg: z.int() })),
    timeout: z.int().describe('In milliseconds.'),
    attestation: z.enum(['none']),
    excludeCredentials: z.array(CredentialDescriptor),
    authenticatorSelection: z.object({
      residentKey: required,
      requireResidentKey: z.boolean(),
      userVerification: required,
    }),
  })
  .meta({ id: 'PasskeyCreationOptions', description: 'For PublicKeyCredential.parseCreationOptionsFromJSON().' })

export const RequestOptions = z
  .object({
    challenge: Bytes,
    rpId: z.string(),
    allowCredentials: z.array(CredentialDescriptor),
    timeout: z.int().describe('In milliseconds.'),
    userVerification: required,
  })
  .meta({ id: 'PasskeyRequestOptions', description: 'For PublicKeyCredential.parseRequestOptionsFromJSON().' })
