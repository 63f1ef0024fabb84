import { type NamedSecret, parseNamedSecrets } from './named-secrets.ts'

/** A key that goes into password hashes. Its id is stored with each hash. */
export type Pepper = NamedSecret

/** Fewer bytes cannot have the 112 bits that such a key needs (NIST SP 800-63B-4, 3.1.1.2). */
const rule = { variable: 'PASSWORD_PEPPER', minBytes: 14 }

export const parsePeppers = (text: string, faults: string[]): readonly Pepper[] => parseNamedSecrets(rule, text, faults)
