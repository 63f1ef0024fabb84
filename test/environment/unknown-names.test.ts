import { readFile } from 'node:fs/promises'
import t from 'tap'
import { allVariableNames } from '../../src/config.ts'
import { nearMisses, unknownNameFaults } from '../../src/environment/unknown-names.ts'

const nearest = (name: string) => nearMisses([name], allVariableNames)[0]?.nearest

t.test('an exported name that is nearly a variable is noticed', async (t) => {
  for (const [name, known] of [
    ['DB_PASWORD', 'DB_PASSWORD'],
    ['DB_PASSOWRD', 'DB_PASSWORD'],
    ['db_password', 'DB_PASSWORD'],
    ['MONGODB_URL', 'MONGODB_URI'],
    ['MONGO_URI', 'MONGODB_URI'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['WEB_CONCURENCY', 'WEB_CONCURRENCY'],
    ['JWT_SIGN_KEY_FILES', 'JWT_SIGN_KEY_FILE'],
  ] as const)
    t.equal(nearest(name), known, name)
})

t.test('names of other programs are left alone', async (t) => {
  for (const name of [
    ...[
      'HOME',
      'HOSTS',
      'PORTS',
      'PAGER',
      'DOCKS',
      'DB_HOST',
      'DB_NAME',
      'NODE_PATH',
      'NODE_OPTIONS',
      'LOGNAME',
      'TMPDIR',
    ],
    ...['AWS_REGIONS', 'AWS_ENDPOINT_URL_S3', 'VAULT_ADDRS', 'KUBERNETES_SERVICE_PORT', 'LS_COLORS', 'XDG_DATA_DIRS'],
    ...allVariableNames,
  ])
    t.equal(nearest(name), undefined, name)
})

t.test('.env may contain what the compose files read', async (t) => {
  const files = ['compose.yaml', 'compose.secrets.yaml'].map((name) => new URL(`../../${name}`, import.meta.url))
  const compose = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('')
  const names = [...compose.matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map(([, name = '']) => name)
  t.ok(names.includes('POSTS_DB_PASSWORD'))
  t.same(unknownNameFaults([...names, 'COMPOSE_PROJECT_NAME'], allVariableNames), [])
  t.match(unknownNameFaults(['PROT'], allVariableNames), [/^PROT in \.env is not .*: did you mean PORT\?$/])
})
