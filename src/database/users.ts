import type { Db } from 'mongodb'
import type { Credentials } from '../secrets/db-credentials.ts'

/** Creates a user with one role of a database, or makes an existing one equal. @param admin - the database "admin" */
export async function ensureRoleUser(
  admin: Db,
  { username, password }: Credentials,
  role: { role: string; db: string },
): Promise<void> {
  const { users } = await admin.command({ usersInfo: { user: username, db: 'admin' } })
  await admin.command({
    [users.length > 0 ? 'updateUser' : 'createUser']: username,
    pwd: password,
    roles: [role],
    mechanisms: ['SCRAM-SHA-256'],
    writeConcern: { w: 'majority' },
  })
}
