/** A secret of a list. Its id is stored with what was made with it; the secret is not stored. */
export type NamedSecret = { readonly id: string; readonly secret: string }

/** @property minBytes - of a secret: what its use demands */
export type NamedSecretsRule = { variable: string; minBytes: number }

const form = 'id:secret, separated by commas or newlines, with ids of 1 to 32 characters of A–Z, a–z, 0–9, _ and -'

/**
 * Parses `id:secret` entries, separated by commas or newlines. The first colon ends the id; white space around an entry or
 * before its secret is ignored. Adds faults to `faults`, each with the entry's number only: if a secret contains a comma,
 * its second half looks like an id.
 */
export function parseNamedSecrets(
  { variable, minBytes }: NamedSecretsRule,
  text: string,
  faults: string[],
): readonly NamedSecret[] {
  const entries = text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const secrets = entries.map((entry) => {
    const [, id = '', secret = ''] = /^([\w-]{1,32}):\s*(.*)$/.exec(entry) ?? []
    return { id, secret }
  })
  if (secrets.length === 0) faults.push(`${variable} must contain ${form}: it has no entry`)
  for (const [index, { id, secret }] of secrets.entries()) {
    const entry = `entry ${index + 1}`
    const first = secrets.findIndex((other) => other.id === id)
    if (id === '') faults.push(`${variable} must contain ${form}: ${entry} does not have this form`)
    else if (Buffer.byteLength(secret) < minBytes || new Set(secret).size < 8)
      faults.push(
        `${variable} must contain secrets of at least ${minBytes} bytes and 8 different characters: ${entry} has fewer; generate one with openssl rand -hex 32`,
      )
    else if (first < index)
      faults.push(`${variable} must contain each id once: ${entry} repeats the id of entry ${first + 1}`)
  }
  return secrets
}
