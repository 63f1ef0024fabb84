import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { spawnGuarded } from '../src/embedded-mongod/child-guard.ts'
import { waitUntilListening } from '../src/embedded-mongod/port.ts'
import { StartError } from '../src/start-error.ts'
import { temporaryFolder } from '../src/temporary-folder.ts'
import type { Gateway, GatewayOptions } from './gateway.ts'

type Template = {
  host: string
  port: number
  /** A file beside this one. */
  template: string
  /** Of its variables, but for LISTEN_ADDRESS. CONNECTIONS_PER_ADDRESS can be left out. */
  values: Readonly<Record<string, string>>
}

/** Runs nginx in front of both services. See {@link runNginx}. */
export const startNginx = ({ host, port, addresses }: GatewayOptions): Promise<Gateway> =>
  runNginx({
    host,
    port,
    template: 'services.conf.template',
    values: { ACCOUNTS_ADDRESS: addresses.accounts, POSTS_ADDRESS: addresses.posts },
  })

/**
 * Runs nginx in the foreground. It ends with this process, however that ends.
 * @throws StartError if nginx does not listen
 */
export async function runNginx({ host, port, template: name, values: given }: Template): Promise<Gateway> {
  const dir = await temporaryFolder('rookery-nginx-')
  const values: Readonly<Record<string, string>> = {
    // As many as a server has in development.
    CONNECTIONS_PER_ADDRESS: '10000',
    ...given,
    LISTEN_ADDRESS: isIP(host) === 6 ? `[${host}]:${port} ipv6only=off` : `${host}:${port}`,
  }
  const template = await readFile(new URL(name, import.meta.url), 'utf8')
  const servers = template.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => values[name] ?? '')
  const config = join(dir, 'nginx.conf')
  const main = await readFile(new URL('nginx.conf', import.meta.url), 'utf8')
  await writeFile(config, foreground + main.replaceAll('/tmp/', `${dir}/`))
  await mkdir(join(dir, 'conf.d'))
  await writeFile(join(dir, 'conf.d', 'rookery.conf'), `access_log off;\n${servers}`)
  const errorLog = join(dir, 'error.log')
  const log = await open(errorLog, 'a')
  const nginx = spawnGuarded('nginx', ['-e', errorLog, '-p', dir, '-c', config], log.fd)
  await log.close()
  const close = async () => {
    await nginx.stop()
    await rm(dir, { recursive: true, force: true })
  }
  const exited = new AbortController()
  nginx.exited.then(() => exited.abort())
  if (await waitUntilListening(port, exited.signal, host)) return { name: 'nginx', exited: nginx.exited, close }
  const said = await readFile(errorLog, 'utf8')
  await close()
  throw new StartError(`nginx does not start: ${said.trim()}`, 'out-of-reach')
}

/** Before nginx.conf, which has the rest. */
const foreground = `
daemon off;
# One process: a worker would outlive a killed master, and keep the port.
master_process off;
${process.getuid?.() === 0 ? 'user root;' : ''}
`
