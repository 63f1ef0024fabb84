/** A key that goes into password hashes. Its id is stored with each hash; the secret is not stored. */
export type Pepper = { readonly id: string; readonly secret: string }

const form = 'id:secret, separated by commas or newlines, with ids of 1 to 32 characters of A–Z, a–z, 0–9, _ and -'

/**
 * Parses `id:secret` entries, separated by commas or newlines. The first colon ends the id; white space around an entry or
 * before its secret is ignored. Adds faults to `faults`, each with the entry's number only: if a secret contains a comma,
 * its second half looks like an id.
 */
export function parsePeppers(text: string, faults: string[]): readonly Pepper[] {
  const entries = text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const peppers = entries.map((entry) => {
    const [, id = '', secret = ''] = /^([\w-]{1,32}):\s*(.*)$/.exec(entry) ?? []
    return { id, secret }
  })
  if (peppers.length === 0) faults.push(`PASSWORD_PEPPER must contain ${form}: it has no entry`)
  for (const [index, { id, secret }] of peppers.entries()) {
    const entry = `entry ${index + 1}`
    const first = peppers.findIndex((other) => other.id === id)
    if (id === '') faults.push(`PASSWORD_PEPPER must contain ${form}: ${entry} does not have this form`)
    // Fewer bytes cannot have the 112 bits that such a key needs (NIST SP 800-63B-4, 3.1.1.2).
    else if (Buffer.byteLength(secret) < 14 || new Set(secret).size < 8)
      faults.push(
        `PASSWORD_PEPPER must contain secrets of at least 14 bytes and 8 different characters: ${entry} has fewer; generate one with openssl rand -hex 32`,
      )
    else if (first < index)
      faults.push(`PASSWORD_PEPPER must contain each id once: ${entry} repeats the id of entry ${first + 1}`)
  }
  return peppers
}
