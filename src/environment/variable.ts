import { z } from 'zod'

/** A variable of the environment, as a whole number. */
export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`)

export const boolean = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true')

/** The items of a comma-separated variable. */
export const list = (text: string) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
