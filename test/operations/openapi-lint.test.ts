import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { testServer } from '../helper.ts'

const run = promisify(execFile)
const redocly = fileURLToPath(new URL('../../node_modules/@redocly/cli/bin/cli.js', import.meta.url))
const config = fileURLToPath(new URL('redocly.yaml', import.meta.url))

t.test('Redocly’s linter finds no fault and no warning in the OpenAPI document', async (t) => {
  const { url } = await testServer(t)
  const folder = await mkdtemp(join(tmpdir(), 'rookery-lint-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // Nothing is sent: no telemetry, no question for a newer version.
  const env = { HOME: folder, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const lint = async (document: { info?: object }) => {
    const file = join(folder, 'openapi.json')
    await writeFile(file, JSON.stringify(document))
    const args = [redocly, 'lint', file, '--config', config, '--format', 'json']
    // Its exit code is 1 when it finds faults, which its output has, too.
    const { stdout } = await run(process.execPath, args, { env }).catch((error) => error)
    const { problems } = JSON.parse(stdout.slice(0, stdout.lastIndexOf('}') + 1))
    return problems as { ruleId: string; message: string }[]
  }
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { info: { license?: object } }
  t.same(await lint(document), [])
  const { license: _, ...info } = document.info
  t.match(await lint({ ...document, info }), [{ ruleId: 'info-license' }], 'it would have told')
})
