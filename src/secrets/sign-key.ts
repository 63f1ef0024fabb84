// Keys printed in public documents: RFC 7515 A.1, jwt.io's examples, well-known tutorials.
const printedKeys = new Set([
  'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'a-string-secret-at-least-256-bits-long',
  'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long',
  'your-256-bit-secret-your-256-bit-secret',
  '0123456789abcdef0123456789abcdef',
  '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  'abcdefghijklmnopqrstuvwxyz012345',
  '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
  '192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf',
])

/** Whether a text is a ring, a JWK or PEM: its characters would be the secret, and those of a public key are known. */
const hasOtherForm = (text: string): boolean => /^\s*(-----BEGIN |\{\s*"|\[\s*\{)/.test(text)

/** Finds the fault of a key for HS256, which requires at least 256 bits (RFC 7518, 3.2). `subject` names the key. */
export function findSignKeyFaults(key: string, subject = 'JWT_SIGN_KEY'): string[] {
  const advice = 'generate one with openssl rand -hex 32'
  if (printedKeys.has(key)) return [`${subject} is printed in public documents: ${advice}`]
  if (hasOtherForm(key)) return [`${subject} must be the secret itself, not JSON or PEM: ${advice}`]
  if (Buffer.byteLength(key) < 32) return [`${subject} must be at least 32 bytes: ${advice}`]
  if (new Set(key).size < 12) return [`${subject} must have at least 12 different characters: ${advice}`]
  return []
}
