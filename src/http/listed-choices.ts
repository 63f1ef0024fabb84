/** Far longer than a browser's: to read 16 KiB of alternatives takes 20 times as long as the rest of the request. */
const maxLength = 1_000

/**
 * A header in which a client lists what it would accept: one that is too long counts as none, which any server may do
 * with these headers (RFC 9110, 12.1).
 */
export const listedChoices = (header: string | undefined): string | undefined =>
  header !== undefined && header.length <= maxLength ? header : undefined
