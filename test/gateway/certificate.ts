import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import type { Test } from 'tap'

/** The files of a certificate for localhost, as values of balancer.conf.template. */
export async function certificate(t: Test) {
  const folder = t.testdir()
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const [TLS_CERTIFICATE, TLS_KEY] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(TLS_CERTIFICATE, cert)
  await writeFile(TLS_KEY, key)
  return { TLS_CERTIFICATE, TLS_KEY }
}
