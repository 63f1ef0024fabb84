/** A key that passwords are hashed with: its id is stored with each hash, its secret never. */
export type Pepper = { readonly id: string; readonly secret: string }

/**
 * Reads `id:secret` entries, separated by commas or newlines. The first colon ends the id; white space around an
 * entry or before its secret is no part of it. What is wrong is added to `faults` by the entry's place alone: a secret with a comma in it
 * would be shown as the id of the next.
 */
export function readPeppers(text: string, faults: string[]): readonly Pepper[] {
  const entries = text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const peppers = entries.map((entry) => {
    const [, id = '', secret = ''] = /^([\w-]{1,32}):\s*(.*)$/.exec(entry) ?? []
    return { id, secret }
  })
  const form = 'id:secret, separated by commas or newlines, an id being 1 to 32 of A–Z a–z 0–9 _ -'
  if (peppers.length === 0) faults.push(`PASSWORD_PEPPER must hold ${form}: there is none`)
  for (const [index, { id, secret }] of peppers.entries()) {
    const entry = `entry ${index + 1}`
    const same = peppers.findIndex((other) => other.id === id)
    if (id === '') faults.push(`PASSWORD_PEPPER must hold ${form}: ${entry} is something else`)
    // Fewer bytes cannot have the 112 bits that such a key needs (NIST SP 800-63B-4, 3.1.1.2).
    else if (Buffer.byteLength(secret) < 14 || new Set(secret).size < 8)
      faults.push(
        `PASSWORD_PEPPER must hold secrets of at least 14 bytes and 8 different characters: ${entry} does not; for one, openssl rand -hex 32`,
      )
    else if (same < index) faults.push(`PASSWORD_PEPPER must hold an id once: ${entry} has that of entry ${same + 1}`)
  }
  return peppers
}
