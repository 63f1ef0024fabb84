import { readFile } from 'node:fs/promises'
import { MongoClient } from 'mongodb'
import { clientOptions, databaseOf, toConnectionError } from '../database/connection.ts'
import type { Role } from '../database/roles.ts'
import type { Environment } from '../environment/environment.ts'
import { loadEnv } from '../environment/load-env.ts'
import { type Credentials, parseCredentials } from '../secrets/db-credentials.ts'
import { createServiceRoles, serviceRoles } from '../service-roles.ts'
import { StartError } from '../start-error.ts'
import { print, runCli } from './command.ts'

const variable = 'ADMIN_DB_CREDENTIALS'

const help = `Usage: npm run roles -- [--print]

Creates the roles of the server's database users in the database of MONGODB_URI, or updates them: after an upgrade, run it
before the new version starts. Each role has what its service uses, and nothing else.

  rookery-accounts  for SERVICES=accounts
  rookery-posts     for SERVICES=posts: it cannot read passwords, passkeys, second factors, sessions, devices, e-mail
                    addresses, activity or failed logins
  rookery           for both in one program
  rookery-backup    for npm run backup: it reads what a backup holds, and changes nothing

It logs in as an administrator with ${variable}, or the file that ${variable}_FILE names: JSON such as
{"username": "admin", "password": "…"}. The user needs the role userAdminAnyDatabase, because MongoDB requires it for
updating a role.

  --print  prints the commands for mongosh instead, and needs no administrator
  --help   prints this

Exit code: 0 done, 69 the database is out of reach, 78 bad arguments, variables or privileges, 70 a fault of the program.
`

async function readCredentials(env: Environment): Promise<Credentials> {
  const file = env[`${variable}_FILE`]
  if (env[variable] && file) throw new StartError(`${variable} and ${variable}_FILE are both set: remove one of them`)
  if (!env[variable] && !file) throw new StartError(`${variable} or ${variable}_FILE must be set, or use --print`)
  const text = file
    ? await readFile(file, 'utf8').catch(() => {
        throw new StartError(`${variable}_FILE names a file that cannot be read: check its path and permissions`)
      })
    : (env[variable] ?? '')
  const faults: string[] = []
  const credentials = parseCredentials(text, faults, variable)
  if (credentials === undefined) throw new StartError(faults.join('\n'))
  return credentials
}

async function createRoles(uri: string, credentials: Credentials): Promise<void> {
  const connection = { uri, ...credentials }
  const options = { ...clientOptions(connection), appName: 'rookery roles' }
  let client: MongoClient | undefined
  try {
    client = new MongoClient(uri, options)
    await createServiceRoles(client.db(), databaseOf(uri))
  } catch (error) {
    throw toConnectionError(error, connection, variable)
  } finally {
    await client?.close()
  }
}

const setRole = `function setRole(name, privileges) {
  if (target.getRole(name)) target.updateRole(name, { privileges, roles: [] })
  else target.createRole({ role: name, privileges, roles: [] })
}`

function printRoles(database: string, roles: readonly Role[]): void {
  print(`const target = db.getSiblingDB(${JSON.stringify(database)})`)
  print(setRole)
  for (const { name, privileges } of roles) {
    const lines = privileges.map((privilege) => `  ${JSON.stringify(privilege)},`)
    print([`setRole(${JSON.stringify(name)}, [`, ...lines, '])'].join('\n'))
  }
}

async function run(isPrint: boolean): Promise<number> {
  const { env } = loadEnv()
  delete process.env[variable]
  const uri = env.MONGODB_URI
  if (!uri) throw new StartError('MONGODB_URI is not set: the roles are created in its database')
  const database = databaseOf(uri)
  const roles = serviceRoles(database)
  if (isPrint) {
    printRoles(database, roles)
    return 0
  }
  await createRoles(uri, await readCredentials(env))
  print(`The database ${database} has the roles ${roles.map(({ name }) => name).join(', ')}.`)
  return 0
}

await runCli({
  help,
  args: { options: { print: { type: 'boolean', default: false } } },
  run: ({ values }) => run(values.print === true),
})
