import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { install, PeerUnavailable, type Recipe, runTool } from '../../bench/peers/install.ts'

t.test('what a peer needs is made once for each version of its sources', async (t) => {
  const folder = t.testdir({ versions: 'one', cache: {} })
  const cache = join(folder, 'cache')
  let builds = 0
  const recipe: Recipe = {
    folder,
    sources: ['versions'],
    async build(target) {
      builds += 1
      await writeFile(join(target, 'program'), String(builds))
    },
  }
  const first = await install(recipe, 'peer', cache)
  t.equal(await install(recipe, 'peer', cache), first)
  t.equal(builds, 1)
  await writeFile(join(folder, 'versions'), 'two')
  const second = await install(recipe, 'peer', cache)
  t.not(second, first)
  t.equal(await readFile(join(second, 'program'), 'utf8'), '2')
  t.equal((await readdir(cache)).length, 2)
})

t.test('a build that fails leaves nothing', async (t) => {
  const folder = t.testdir({ versions: 'one' })
  const recipe: Recipe = {
    folder,
    sources: ['versions'],
    async build(target) {
      await mkdir(join(target, 'half'))
      await runTool('node', ['-e', 'console.log("no\\nregistry"); process.exit(1)'], 'It needs a registry.')
    },
  }
  await t.rejects(install(recipe, 'peer', join(folder, 'cache')), {
    constructor: PeerUnavailable,
    message: 'node -e failed (registry): It needs a registry.',
  })
  t.same(await readdir(join(folder, 'cache')), [])
})

t.test('a missing tool is named, with what needs it', async (t) => {
  await t.rejects(runTool('no-such-tool', [], 'Flask needs it.'), {
    constructor: PeerUnavailable,
    message: 'no-such-tool is missing: Flask needs it.',
  })
})
