import { UUID } from 'mongodb'
import { v7 } from 'uuid'

/** A new id: UUIDv7 (RFC 9562, 5.7), later than every id this process made before. */
export const newId = (): string => v7()

/** The form in which MongoDB keeps an id: 16 bytes, which sort as the text does. */
export const toUuid = (id: string): UUID => new UUID(id)

/** When an id was made, to the millisecond. What has such an id needs no other `createdAt`, and sorts by it. */
export const timeOf = (id: string): Date => new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
