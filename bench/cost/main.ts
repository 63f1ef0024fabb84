import { rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { MongoClient } from 'mongodb'
import { clientOptions } from '../../src/database/connection.ts'
import { temporaryFolder } from '../../src/temporary-folder.ts'
import { withMongod } from '../mongod.ts'
import { logIn, signUp } from './browser.ts'
import { closeConnections, exchange, sendAll } from './client.ts'
import { fill } from './fill.ts'
import { measure } from './measure.ts'
import { type Operation, operationsIn } from './openapi.ts'
import { recipes, unknownPath } from './operations.ts'
import { startServer } from './server.ts'
import { isRepeatable, type Variant, variantsOf, worstCookies } from './shapes.ts'
import { exceedsBound, findingsIn, type Row, rowOf, table } from './table.ts'

const help = `Usage: npm run bench:cost -- [--only <regex>] [--all] [--quick]

Sends each operation of the server's OpenAPI document its plainest right request and its worst legal ones, and prints the CPU
time of server and mongod for one of them, beside what a plain 401 costs, and what one client can cause of it at most. It
reads CPU time, not how long a request takes, so it may run beside other work. Everything takes about 25 minutes.

  --only <regex>  only operations whose name matches, such as "^GET " or "POST /v1/(posts|session)"
  --all           print every request, and not only the plainest and the worst of each operation
  --quick         only the plainest requests and those shapes that have cost most: about 8 minutes
  --help          show this help

Exit code: 0 no request exceeds a bound, 1 one does and has no reason in bench/cost/accepted.ts, 2 an operation has no recipe.
`

const warmUpCount = 3_000
/** What all others are compared with is measured for longer. */
const baseCpuUs = 500_000

const costliest = /^(plain|no session|100 items|forged access cookies$|500 headers|400 parameters|.* 256: letters)/

const print = (line: string) => void process.stdout.write(`${line}\n`)
const tell = (line: string) => void process.stderr.write(`${line}\n`)

const options = {
  only: { type: 'string', default: '' },
  all: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const
const { values } = parseArgs({ options })
if (values.help) process.stdout.write(help)
else process.exitCode = await bench(values)

type Options = { only: string; all: boolean; quick: boolean }

async function bench({ only, all, quick }: Options): Promise<number> {
  const chosen = new RegExp(only)
  const dataDir = await temporaryFolder('rookery-bench-cost-')
  try {
    return await withMongod(async (connection) => {
      const server = await startServer({ connection, dataDir })
      const { port } = server
      const client = await new MongoClient(connection.uri, clientOptions(connection)).connect()
      try {
        const document = await exchange(port, { method: 'GET', path: '/openapi.json', headers: {} })
        const operations = operationsIn(JSON.parse(document.body.toString()))
        const largeOwner = await signUp(port, 'large')
        const smallOwner = await signUp(port, 'small')
        const world = await fill(client.db('rookery'), port, largeOwner)

        /** In new sessions, because tokens live for 15 minutes. */
        const prepare = async (operation: Operation): Promise<Variant[]> => {
          const [large, small] = [await logIn(port, largeOwner), await logIn(port, smallOwner)]
          const recipe = recipes({ ...world, port, large, small })[operation.name]
          if (!recipe) throw new Error(`${operation.name} has no recipe`)
          const own = large.browser.header(['session']).cookie?.slice('session='.length) ?? ''
          const plain = await recipe()
          return [{ name: 'plain', plain }, ...variantsOf(plain, { ...operation, cookies: worstCookies(own) })]
        }

        const missing = operations.filter(
          ({ name }) => !(name in recipes({ ...world, port, large: largeOwner, small: smallOwner })),
        )
        if (missing.length > 0) {
          tell(`There is no recipe for ${missing.map(({ name }) => name).join(', ')}: see bench/cost/operations.ts.`)
          return 2
        }
        const unknown = { name: unknownPath, hasCursor: false, hasParameter: false, needsSession: false }
        const refused = { method: 'GET', path: '/v1/account', headers: {} }
        // V8 compiles what all requests share.
        await sendAll(port, Array(warmUpCount).fill(refused))
        await server.findIdle()
        const base = await measure(server, { name: 'a plain 401', plain: refused }, baseCpuUs)
        const rows: Row[] = []
        for (const operation of [...operations, unknown].filter(({ name }) => chosen.test(name))) {
          for (const variant of await prepare(operation)) {
            if (quick && !costliest.test(variant.name)) continue
            const take = async () => rowOf(operation, variant, await measure(server, variant), base)
            let row = await take()
            // Other work on the machine makes CPU time longer, and never shorter.
            if (exceedsBound(row) && isRepeatable(variant)) {
              const again = await take()
              if (again.draw < row.draw) row = again
            }
            rows.push(row)
            tell(
              `${operation.name}, ${variant.name}: ${row.status}, ${row.ratio.toFixed(1)} × 401, ${Math.round(row.draw)} 401s/s`,
            )
          }
        }
        for (const line of table(rows, base, { all })) print(line)
        const findings = findingsIn(rows)
        for (const { operation, variant } of findings) tell(`exceeds its bound: ${operation}, ${variant}`)
        return findings.length === 0 ? 0 : 1
      } finally {
        closeConnections()
        await client.close()
        await server.stop()
      }
    })
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 })
  }
}
