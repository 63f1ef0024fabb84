import { z } from 'zod'
import { Count, Time } from '../http/wire-types.ts'
import { hasRecoveryCodeForm } from './recovery-codes.ts'

const exampleRecoveryCode = '9k3x-m0vq-7h2r-c8wt-5bzn-e4yd'

/** Apps show it with a space. */
export const Code = z
  .string()
  .overwrite((code) => code.replaceAll(' ', ''))
  .regex(/^\d{6}$/, 'Must be 6 digits.')
  .meta({ description: 'Of an authenticator app.', examples: ['492039'] })

const RecoveryCode = z
  .string()
  .refine(hasRecoveryCodeForm, `Must be a recovery code, such as ${exampleRecoveryCode}.`)
  .meta({ maxLength: 64, examples: [exampleRecoveryCode] })

/** What a client can give beside a password. */
export const factorMembers = { code: Code.optional(), recoveryCode: RecoveryCode.optional() }

export type PresentedFactor = { code?: string | undefined; recoveryCode?: string | undefined }

export const isOneFactor = ({ code, recoveryCode }: PresentedFactor): boolean =>
  code === undefined || recoveryCode === undefined

export const SecondStepBody = z
  .strictObject({
    ...factorMembers,
    trustDevice: z.boolean().optional().describe('Whether this browser may log in without a code for 30 days.'),
  })
  .refine(
    (body) => isOneFactor(body) && (body.code ?? body.recoveryCode) !== undefined,
    'Must have either code or recoveryCode.',
  )
  .meta({ minProperties: 1, examples: [{ code: '492039', trustDevice: true }] })

export const SecondFactorView = z
  .object({
    totp: z.object({ enrolledAt: Time, lastUsedAt: Time.nullable() }).nullable(),
    recoveryCodesLeft: Count,
  })
  .meta({ id: 'SecondFactor' })

export const TotpEnrolment = z
  .object({
    secret: z.string().describe('In base 32, for an app without a camera.'),
    uri: z.string().describe('For the app: otpauth://totp/….'),
    qrCode: z.string().describe('The uri as an image: an SVG element.'),
  })
  .meta({ id: 'TotpEnrolment' })

export const ConfirmEnrolmentBody = z.strictObject({ code: Code }).meta({ examples: [{ code: '492039' }] })

export const RecoveryCodes = z
  .object({ recoveryCodes: z.array(z.string().meta({ examples: [exampleRecoveryCode] })) })
  .meta({ id: 'RecoveryCodes' })
