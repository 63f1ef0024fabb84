import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { generate } from 'selfsigned'
import t from 'tap'
import { reportSchema } from '../../bot/report/schema.ts'
import { runNginx } from '../../gateway/nginx.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase } from '../helper.ts'
import { root, ServerProcess } from '../main/server-process.ts'

const skip = spawnSync('nginx', ['-v']).error ? 'nginx is not installed' : false
/** `TEST_RESTARTS=3` is for a machine that does nothing else: then a query that takes longer than 5 s is an error, too. */
const { TEST_RESTARTS, TEST_ROBOTS } = process.env
const restarts = Number(TEST_RESTARTS ?? 2)
const robots = TEST_ROBOTS ?? (TEST_RESTARTS === undefined ? '4' : '12')

t.test(
  'two servers behind nginx with https, restarted in turn: the robots get no error',
  { skip, timeout: 600_000 },
  async (t) => {
    const { connection } = await freshDatabase(t)
    const folder = t.testdir()
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    })
    const [certificate, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await writeFile(certificate, cert)
    await writeFile(keyFile, key)
    const ports = [await findFreePort(), await findFreePort()] as const
    const port = await findFreePort()
    const url = `https://127.0.0.1:${port}`
    const start = async (serverPort: number) => {
      const server = new ServerProcess(t, {
        NODE_ENV: 'test',
        PORT: String(serverPort),
        MONGODB_URI: connection.uri,
        DB_USER: connection.username,
        DB_PASSWORD: connection.password,
        JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K',
        COOKIE_SECURE: 'true',
        PUBLIC_ORIGIN: url,
        TRUSTED_PROXIES: '127.0.0.1',
        BCRYPT_COST: '4',
        DRAIN_SECONDS: '2',
        LOG_LEVEL: 'warn',
      })
      await eventually(
        async () => (await fetch(`http://127.0.0.1:${serverPort}/health/ready`).catch(() => null))?.ok === true,
      )
      return server
    }
    const servers = [await start(ports[0]), await start(ports[1])]
    const values = {
      FIRST_ADDRESS: `127.0.0.1:${ports[0]}`,
      SECOND_ADDRESS: `127.0.0.1:${ports[1]}`,
      TLS_CERTIFICATE: certificate,
      TLS_KEY: keyFile,
    }
    const nginx = await runNginx({ host: '127.0.0.1', port, template: 'balancer.conf.template', values })
    t.teardown(() => nginx.close())

    const json = join(folder, 'report.json')
    const options = ['--url', url, '--ca', certificate, '--robots', robots, '--for', '30m', '--json', json]
    const bot = spawn(process.execPath, ['bot/index.ts', ...options], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    t.teardown(() => bot.kill('SIGKILL'))
    const said = Promise.all([text(bot.stdout), text(bot.stderr)])
    for (let round = 1; round <= restarts; round += 1)
      for (const [n, server] of servers.entries()) {
        t.match(await server.kill('SIGTERM'), { code: 0 }, `round ${round}: server ${n + 1} ends`)
        servers[n] = await start(ports[n === 0 ? 0 : 1])
      }
    bot.kill('SIGINT')
    const [code] = await once(bot, 'exit')
    t.equal(code, 130, (await said).join(''))
    const report = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
    t.equal(report.check.verdict, 'agrees')
    // One robot comes back with an expired access token, which it refreshes.
    const expected = ['401 unauthenticated', ...(TEST_RESTARTS === undefined ? ['503 database-unavailable'] : [])]
    const errors = report.errors.filter(({ cause }) => !expected.includes(cause))
    t.same(errors, [], `${report.total.count} requests, no error`)
    t.ok(report.total.count > 100)
    t.comment(`${report.total.count} requests`)
  },
)
