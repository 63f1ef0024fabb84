import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { serviceRoles } from '../../src/service-roles.ts'
import { freshDatabase, testConfig } from '../helper.ts'
import { root } from '../main/server-process.ts'
import { passkeyEnv } from '../passkeys/ceremonies.ts'
import { useEveryRoute } from '../services/every-route.ts'
import { asAdmin, createUser } from '../services/users.ts'
import { external, runReconcile, startCommand } from './start-command.ts'

const names = ['rookery-accounts', 'rookery-posts', 'rookery', 'rookery-backup']

t.test('npm run roles', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { databaseName } = db
  const { uri } = connection
  const roles = (env: NodeJS.ProcessEnv, args: string[] = []) =>
    startCommand(t, 'cli/roles.ts', { MONGODB_URI: uri, ...env }, args, root).ended
  const json = ({ username, password }: typeof connection) => JSON.stringify({ username, password })
  const admin = await createUser(t, connection, [{ role: 'userAdminAnyDatabase', db: 'admin' }])
  t.teardown(() => asAdmin(connection, (any) => any.client.db(databaseName).command({ dropAllRolesFromDatabase: 1 })))

  t.test('creates the roles, and repairs them when it runs again', async (t) => {
    const done = { code: 0, out: `The database ${databaseName} has the roles ${names.join(', ')}.\n`, error: '' }
    t.same(await roles({ ADMIN_DB_CREDENTIALS: json(admin) }), done)
    await asAdmin(connection, (any) =>
      any.client.db(databaseName).command({ updateRole: 'rookery-posts', privileges: [], roles: ['readWrite'] }),
    )
    const folder = await mkdtemp(join(tmpdir(), 'rookery-roles-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const file = join(folder, 'admin.json')
    await writeFile(file, json(admin))
    t.same(await roles({ ADMIN_DB_CREDENTIALS_FILE: file }), done)
    const found = await asAdmin(connection, (any) =>
      any.client.db(databaseName).command({ rolesInfo: 'rookery-posts', showPrivileges: true }),
    )
    t.same(found.roles[0].roles, [])
    t.equal(found.roles[0].privileges.length, serviceRoles(databaseName)[1]?.privileges.length)
  })

  t.test('the role rookery is enough for both services in one program, and for reconcile', async (t) => {
    const user = await createUser(t, connection, [{ role: 'rookery', db: databaseName }])
    const app = await buildApp(await testConfig(user, passkeyEnv), user, pino({ level: 'silent' }))
    t.teardown(() => app.close())
    await useEveryRoute(t, await app.listen({ host: '127.0.0.1', port: 0 }))
    await db.collection('posts').updateMany({}, { $inc: { 'counts.likes': 1 } })
    await db.collection('accountCounts').updateMany({}, { $inc: { posts: 1 } })
    const fixed = await runReconcile(t, external(user), ['--fix'])
    t.match(fixed, { code: 0, out: /drift 0 \(\d fixed\)\n$/ })
  })

  t.test('--print prints commands for mongosh that make the same roles', async (t) => {
    const { code, out } = await roles({}, ['--print'])
    t.equal(code, 0)
    const calls: unknown[] = []
    const target = {
      getRole: (name: string) => (name === 'rookery' ? {} : null),
      createRole: ({ role, privileges }: { role: string; privileges: unknown }) =>
        calls.push(['create', role, privileges]),
      updateRole: (role: string, { privileges }: { privileges: unknown }) => calls.push(['update', role, privileges]),
    }
    runInContext(out, createContext({ db: { getSiblingDB: (name: string) => name === databaseName && target } }))
    const expected = serviceRoles(databaseName).map(({ name, privileges }) => [
      name === 'rookery' ? 'update' : 'create',
      name,
      privileges,
    ])
    t.equal(JSON.stringify(calls), JSON.stringify(expected))
  })

  t.test('each fault has its sentence and exit code, without a secret', async (t) => {
    const other = await createUser(t, connection, [{ role: 'readWrite', db: databaseName }])
    const faults: [env: NodeJS.ProcessEnv, code: number, error: RegExp][] = [
      [{}, 78, /^ADMIN_DB_CREDENTIALS or ADMIN_DB_CREDENTIALS_FILE must be set, or use --print\n$/],
      [{ MONGODB_URI: '' }, 78, /^MONGODB_URI is not set/],
      [{ ADMIN_DB_CREDENTIALS: 'hunter2' }, 78, /^ADMIN_DB_CREDENTIALS must be JSON with a username and a password/],
      [{ ADMIN_DB_CREDENTIALS: json(admin), ADMIN_DB_CREDENTIALS_FILE: 'x' }, 78, /are both set: remove one/],
      [{ ADMIN_DB_CREDENTIALS_FILE: '/no/such/file' }, 78, /^ADMIN_DB_CREDENTIALS_FILE names a file that cannot/],
      [
        { ADMIN_DB_CREDENTIALS: json({ ...admin, password: 'hunter2' }) },
        78,
        /refuses the user .*: check ADMIN_DB_CREDENTIALS\.\n$/,
      ],
      [{ ADMIN_DB_CREDENTIALS: json(other) }, 78, /denies the user \w+ a necessary privilege: .{1,150}\.\n$/],
    ]
    for (const [env, code, error] of faults) {
      const result = await roles(env)
      t.match(result, { code, error, out: '' })
      t.notMatch(result.error, /hunter2|at .*\.ts:/)
      t.notOk(result.error.includes(admin.password) || result.error.includes(other.password))
    }
  })
})
