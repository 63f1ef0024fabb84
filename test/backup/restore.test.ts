import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { BSON } from 'mongodb'
import t from 'tap'
import { compressTo } from '../../src/backup/file.ts'
import { backupEncoder } from '../../src/backup/format.ts'
import { programVersion } from '../../src/database/data-version.ts'
import { startCommand } from '../cli/start-command.ts'

t.test('a file with a collection that no backup holds is refused before the database is opened', async (t) => {
  const file = join(t.testdir(), 'forged.backup')
  const write = (dataVersion: number, version = '9.9.9') =>
    compressTo(createWriteStream(file), new AbortController().signal, async (sink) => {
      const encoder = backupEncoder(sink)
      await encoder.header({ version, dataVersion, startedAt: new Date() })
      for (const collection of ['posts', 'sessions']) {
        await encoder.beginCollection(collection)
        await encoder.documents([BSON.serialize({ _id: 1 })])
        await encoder.endCollection()
      }
      await encoder.trailer()
    })
  const restore = () => startCommand(t, 'cli/restore.ts', { DATA_DIR: join(t.testdirName, 'data') }, [file]).ended
  await write(programVersion)
  t.match(await restore(), {
    code: 78,
    error: /cannot be restored: it has documents of the collection "sessions", which no backup holds/,
  })
  await write(programVersion + 1)
  t.match(await restore(), { code: 78, error: /this program is older/ }, 'a later version may hold others')
  await write(programVersion + 1, '\x1b[2J9.9.9')
  t.match(await restore(), { code: 78, error: /does not begin as a backup/ }, 'a version that would clear the screen')
})
