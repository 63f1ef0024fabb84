import { createHash, X509Certificate } from 'node:crypto'
import { generate } from 'selfsigned'

/** A new self-signed certificate for these names, and the argument that makes Chromium trust it. */
export async function makeCertificate(names: readonly string[]) {
  const altNames = names.map((value) => ({ type: 2 as const, value })) // 2 is a DNS name
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'Rookery’s tests' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames }],
  })
  const publicKey = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
  const hash = createHash('sha256').update(publicKey).digest('base64')
  return { cert, key, trust: `--ignore-certificate-errors-spki-list=${hash}` }
}
