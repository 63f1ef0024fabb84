import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { choosePort } from '../../src/embedded-mongod/choose-port.ts'
import { prepareDataDir } from '../../src/embedded-mongod/data-dir.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'

t.test('mongod keeps its port, unless the server itself is to listen there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-port-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const dataDir = await prepareDataDir(folder)
  const port = await findFreePort()
  await writeFile(dataDir.portFile, String(port))
  const deadline = Date.now() + 60_000
  t.equal(await choosePort(dataDir, deadline, [5000, 9464]), port)
  const other = await choosePort(dataDir, deadline, [port])
  t.not(other, port)
  t.equal(await choosePort(dataDir, deadline), other)
})
