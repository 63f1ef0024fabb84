import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type Environment, readConfig } from '../../src/config.ts'
import { external, faultsOf, secrets } from '../config/faults.ts'

const { JWT_SIGN_KEY: key, ...rest } = external
const unreadable = 'JWT_SIGN_KEY_FILE names a file that cannot be read: check its path and permissions'

t.test('NAME_FILE: relative paths start from the root, and a fault never contains the file’s content', async (t) => {
  const root = t.testdir({ key: `${key}\n`, crlf: `${key}\r\n`, empty: '', line: '\n', folder: {} })
  await writeFile(join(root, 'bytes'), Buffer.from(Array.from({ length: 64 }, (_, index) => 128 + index)))
  for (const JWT_SIGN_KEY_FILE of ['key', 'crlf', join(root, 'key')])
    t.equal((await readConfig({ ...rest, JWT_SIGN_KEY_FILE }, root)).jwtSignKey, key, JWT_SIGN_KEY_FILE)
  const faults = (JWT_SIGN_KEY_FILE: string, env: Environment = rest) =>
    faultsOf(t, { ...env, JWT_SIGN_KEY_FILE }, root)
  for (const file of ['empty', 'line'])
    t.same(await faults(file), ['JWT_SIGN_KEY_FILE names an empty file: write the secret to it'])
  for (const file of ['none', 'folder']) t.same(await faults(file), [unreadable])
  t.same(await faults('bytes'), [
    'JWT_SIGN_KEY_FILE names a file that is not UTF-8 text: encode it, for example in base64',
  ])
  t.same(await faults('key', external), ['JWT_SIGN_KEY and JWT_SIGN_KEY_FILE are both set: remove one of them'])
  if (process.getuid?.() !== 0) {
    await chmod(join(root, 'key'), 0)
    t.same(await faults('key'), [unreadable])
  }
  const { dataDir } = (await readConfig({ ...secrets, DATA_DIR: 'below/data' }, root)).database as { dataDir: string } // embedded
  t.equal(dataDir, join(root, 'below/data'))
})
