import { glob, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { secretNames } from '../src/secrets/names.ts'
import { parsePeppers } from '../src/secrets/pepper.ts'
import { findSignKeyFaults } from '../src/secrets/sign-key.ts'
import { parseTotpKeys } from '../src/secrets/totp-keys.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const patterns = ['*.md', 'docs/**/*', 'env.sample', '.env*', '*.yaml', '*.json', 'Containerfile', '.ci/*']

/** Whether the secret is a list of ids with secrets. */
const isNamed = (name: string) => name === 'PASSWORD_PEPPER' || name === 'TOTP_KEYS'

type Assignment = { name: string; value: string }

/**
 * The literal secrets in a text: `NAME=value` of a shell or an env file, `NAME: value` of YAML. Empty values,
 * placeholders (`…`, `<yours>`, `%s`) and values from elsewhere (`$…`, a command) are not literals.
 */
function findLiterals(text: string): Assignment[] {
  const value = /(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"'`,;)]*))/.source
  const forms = ['=', `["'\`]?: +`].map((sign) => new RegExp(`\\b(${secretNames.join('|')})${sign}${value}`, 'g'))
  const found = forms.flatMap((form) => [...text.matchAll(form)])
  return found
    .map(([, name = '', ...values]) => ({ name, value: values.find((value) => value !== undefined) ?? '' }))
    .filter(({ name, value }) => {
      const secret = isNamed(name) ? value.replace(/^[\w-]+:/, '') : value
      return secret !== '' && !/^[$…<%`]|^\.\.\.$/.test(secret)
    })
}

/** Whether the configuration refuses the value. A database password never is. */
function isRefused(name: string, value: string): boolean {
  const faults = name === 'JWT_SIGN_KEY' ? findSignKeyFaults(value) : []
  if (name === 'PASSWORD_PEPPER') parsePeppers(value, faults)
  if (name === 'TOTP_KEYS') parseTotpKeys(value, faults)
  return faults.length > 0
}

async function readDocuments(): Promise<[path: string, text: string][]> {
  const found: [string, string][] = []
  for await (const entry of glob(patterns, { cwd: root, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`
    if (entry.isFile()) found.push([path.slice(root.length), await readFile(path, 'utf8')])
  }
  return found
}

t.test('findLiterals finds a secret in shell, env file, YAML and JSON syntax, and ignores placeholders', async (t) => {
  const value = (text: string) => findLiterals(text).map(({ value }) => value)
  for (const text of [
    'export JWT_SIGN_KEY=abc next',
    '-e JWT_SIGN_KEY=abc',
    'JWT_SIGN_KEY="abc"',
    "JWT_SIGN_KEY='abc'",
  ])
    t.same(value(text), ['abc'], text)
  for (const text of ['  JWT_SIGN_KEY: abc', '"DB_PASSWORD": "abc"', "{ DB_PASSWORD: 'abc' }", '`DB_PASSWORD=abc`'])
    t.same(value(text), ['abc'], text)
  t.same(value('PASSWORD_PEPPER=a:abc,b:def'), ['a:abc'])
  t.same(value('  PASSWORD_PEPPER: "a:abc"'), ['a:abc'])
  const elsewhere = [
    'JWT_SIGN_KEY=$(openssl rand -hex 32)',
    `DB_PASSWORD: \${DB_PASSWORD:?it is not set}`,
    'DB_PASSWORD=',
    'PASSWORD_PEPPER="a:$(openssl rand -hex 32)"',
    'PASSWORD_PEPPER=a:…,b:…',
  ]
  for (const text of [...elsewhere, 'DB_PASSWORD=… npm start', 'JWT_SIGN_KEY_FILE=/run/key', 'JWT_SIGN_KEY="$key"'])
    t.same(value(text), [], text)
})

t.test('every secret in the documents is one that the server refuses', async (t) => {
  const texts = await readDocuments()
  for (const expected of ['README.md', 'env.sample', 'compose.yaml', 'docs/operations.md', 'package.json'])
    t.ok(
      texts.some(([path]) => path === expected),
      `${expected} is read`,
    )
  for (const [path, text] of texts) {
    for (const { name, value } of findLiterals(text)) {
      t.ok(isRefused(name, value), `${path}: ${name}=${value} is refused`)
    }
    t.notMatch(text, /-----BEGIN [A-Z ]*PRIVATE KEY-----/, `${path} contains no private key`)
    t.notMatch(text, /mongodb(\+srv)?:\/\/[^\s/@$<]+:[^\s/@$<]+@/, `${path} contains no credentials in a URI`)
  }
})
