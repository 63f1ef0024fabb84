import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { needs, programPath, type Trust, testWholeSession } from './whole-session.ts'

const run = promisify(execFile)

/** Java takes certificates from a store of its own. */
async function trustStore({ pem, folder }: Trust): Promise<string[]> {
  const store = join(folder, 'trusted.p12')
  const kept = ['-keystore', store, '-storetype', 'PKCS12', '-storepass', 'changeit']
  await run('keytool', ['-importcert', '-noprompt', '-alias', 'rookery', '-file', pem, ...kept])
  return [`-Djavax.net.ssl.trustStore=${store}`, '-Djavax.net.ssl.trustStorePassword=changeit']
}

const options = await needs('javac', '-version')

for (const name of ['HttpClientSession.java', 'UrlConnectionSession.java']) {
  t.test(`a Java program can keep a session: ${name}`, options, (t) =>
    testWholeSession(t, {
      name,
      command: async (trust) => ['java', ...(trust ? await trustStore(trust) : []), programPath(name)],
    }),
  )
}
