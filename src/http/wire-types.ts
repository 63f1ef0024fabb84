import { z } from 'zod'

/** An id on the wire: opaque to clients; internally a UUIDv7 (RFC 9562). */
export const Id = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'Must be a valid id.')
  .meta({ description: 'An opaque id.', examples: ['019ab0f2-7d31-7c44-9a5e-2f6b8c1d0e37'] })

/** A time on the wire: RFC 3339, UTC, milliseconds. Stores and routes use `Date`. */
export const Time = z.codec(z.iso.datetime({ precision: 3 }), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

export const Count = z.int().meta({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
