import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { BlockList } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { allVariableNames, readConfig } from '../../src/config.ts'
import { pythonWith } from '../generated-clients/cached.ts'
import { root } from '../main/server-process.ts'

const run = promisify(execFile)

const Networks = z.union([
  z.array(z.string()).transform((names) => Object.fromEntries(names.map((name) => [name, null]))),
  z.record(z.string(), z.object({ ipv4_address: z.string().optional() }).nullable()),
])
const Service = z.object({
  networks: Networks.default({}),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  mem_limit: z.string().default(''),
  ulimits: z.object({ core: z.number() }).optional(),
  entrypoint: z.array(z.string()).default([]),
  command: z.array(z.string()).default([]),
})
const Compose = z.object({
  services: z.record(z.string(), Service),
  secrets: z.record(z.string(), z.object({ file: z.string() })).default({}),
  networks: z.record(
    z.string(),
    z.object({ ipam: z.object({ config: z.array(z.record(z.string(), z.string())) }).optional() }),
  ),
})

const profiles = ['', 'services', 'scale', 'observe', 'bot', 'backup']

/** The variables of compose.yaml that are secrets. */
const secretVariables = [
  'DB_PASSWORD',
  'JWT_SIGN_KEY',
  'JWT_SIGN_KEYS',
  'JWT_PUBLIC_KEYS',
  'PASSWORD_PEPPER',
  'TOTP_KEYS',
  'ACCOUNTS_DB_PASSWORD',
  'POSTS_DB_PASSWORD',
  'BACKUP_DB_PASSWORD',
  'GRAFANA_PASSWORD',
  'SMTP_URL',
]
const canary = 'canary-of-a-secret'
const canaries = Object.fromEntries(secretVariables.map((name) => [name, `${canary}-${name}`]))
const overlay = ['compose.yaml', 'compose.secrets.yaml', 'compose.mail.yaml']

const program = `
import json, subprocess, sys, yaml
done = subprocess.run([sys.executable, '-m', 'podman_compose', *sys.argv[1:], 'config'], capture_output=True, text=True)
if done.returncode != 0: sys.exit(done.stderr)
print(json.dumps(yaml.safe_load(done.stdout)))
`

async function temporary(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-compose-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Reads compose files as podman-compose does. All that it asks podman for is its version. */
async function composeReader(t: Test) {
  const python = await pythonWith('podman-compose-1.6.0', ['podman-compose==1.6.0'])
  const folder = await temporary(t)
  await writeFile(join(folder, 'podman'), '#!/bin/sh\necho podman version 4.9.3\n')
  await chmod(join(folder, 'podman'), 0o755)
  return async (files: readonly string[], profile: string, env: Record<string, string>) => {
    const args = [...files.flatMap((file) => ['-f', join(root, file)]), ...(profile ? ['--profile', profile] : [])]
    const path = `${folder}:${process.env.PATH}`
    // Run where no .env is.
    const { stdout } = await run(python, ['-c', program, ...args], { cwd: folder, env: { PATH: path, ...env } })
    return Compose.parse(JSON.parse(stdout))
  }
}

t.test('compose', async (t) => {
  const read = await composeReader(t)
  const plain = new Map<string, z.infer<typeof Compose>>()
  for (const profile of profiles) plain.set(profile, await read(['compose.yaml'], profile, canaries))

  t.test('each profile publishes ports on loopback only', async (t) => {
    for (const [profile, { services }] of plain) {
      for (const [name, { ports }] of Object.entries(services))
        for (const port of ports) t.match(port, /^127\.0\.0\.1:/, `${profile} ${name}`)
    }
  })

  t.test('no program that has keys writes a core dump', async (t) => {
    for (const [profile, { services }] of plain) {
      for (const [name, { environment, ulimits }] of Object.entries(services)) {
        const hasKeys =
          name.startsWith('mongodb') || Object.values(environment).some((value) => value.startsWith(canary))
        if (hasKeys && name !== 'grafana') t.same(ulimits, { core: 0 }, `${profile} ${name}`)
      }
    }
  })

  t.test(
    'nginx and the servers behind it have addresses that no other container gets, and trust its alone',
    async (t) => {
      for (const [profile, nginx, servers] of [
        ['services', 'gateway', { ACCOUNTS_ADDRESS: 'accounts', POSTS_ADDRESS: 'posts' }],
        ['scale', 'balancer', { FIRST_ADDRESS: 'api-1', SECOND_ADDRESS: 'api-2' }],
      ] as const) {
        const { services, networks } = plain.get(profile) ?? (await read(['compose.yaml'], profile, canaries))
        const addressOf = (name: string) => services[name]?.networks.proxy?.ipv4_address ?? ''
        t.same(Object.keys(services[nginx]?.networks ?? {}), ['proxy'], 'it reaches no database')
        for (const [variable, name] of Object.entries(servers)) {
          t.equal(services[name]?.environment.TRUSTED_PROXIES, addressOf(nginx))
          t.same(Object.keys(services[name]?.networks ?? {}).toSorted(), ['default', 'proxy'])
          // Not a name: nginx looks it up at its start only, and does not start while it is unknown.
          t.equal(services[nginx]?.environment[variable], `${addressOf(name)}:5000`)
        }
        const [{ subnet = '', ip_range: others = '' } = {}] = networks.proxy?.ipam?.config ?? []
        const isWithin = (cidr: string, address: string) => {
          const [from = '', bits] = cidr.split('/')
          const list = new BlockList()
          list.addSubnet(from, Number(bits))
          return list.check(address)
        }
        const addresses = [nginx, ...Object.values(servers)].map(addressOf)
        t.equal(new Set(addresses).size, addresses.length)
        for (const address of addresses) {
          t.ok(isWithin(subnet, address))
          t.notOk(isWithin(others, address))
        }
      }
    },
  )

  t.test('nginx has the main file of gateway/, and memory for all of its connections', async (t) => {
    const main = await readFile(join(root, 'gateway/nginx.conf'), 'utf8')
    const numberOf = (directive: string) => Number(new RegExp(`^ *${directive} (\\d+);$`, 'm').exec(main)?.[1])
    const connections = numberOf('worker_processes') * numberOf('worker_connections')
    t.ok(numberOf('worker_rlimit_nofile') > numberOf('worker_connections'))
    for (const [profile, nginx] of [
      ['services', 'gateway'],
      ['scale', 'balancer'],
    ] as const) {
      const { volumes = [], mem_limit = '' } = plain.get(profile)?.services[nginx] ?? {}
      t.ok(volumes.includes('./gateway/nginx.conf:/etc/nginx/nginx.conf:ro'), nginx)
      // 60 KiB each were measured, and the kernel has buffers of its own.
      t.ok(connections * 64 <= (Number.parseInt(mem_limit, 10) - 256) * 1024, `${nginx}: ${mem_limit}`)
    }
  })

  t.test('with compose.secrets.yaml no variable of any service holds a secret, and each file is mounted', async (t) => {
    const held = new Set<string>()
    for (const [profile, without] of plain) {
      for (const { environment } of Object.values(without.services))
        for (const value of Object.values(environment)) if (value.startsWith(canary)) held.add(value)
      const { services, secrets } = await read(overlay, profile, canaries)
      t.same(Object.keys(services), Object.keys(without.services), 'the same services')
      for (const [name, { environment, secrets: mounted }] of Object.entries(services)) {
        t.notMatch(JSON.stringify(environment), canary, `${profile} ${name}`)
        const files = Object.entries(environment).filter(([, value]) => value.startsWith('/run/secrets/'))
        t.same(files.map(([, path]) => path.replace('/run/secrets/', '')).sort(), [...mounted].sort(), name)
        for (const [variable] of files)
          t.equal(environment[variable.replace(/_?_FILE$/, '')], '', `${name} ${variable}`)
        for (const secret of mounted) t.match(secrets[secret]?.file, new RegExp(`^\\./secrets/${secret}$`))
      }
    }
    t.same([...held].sort(), Object.values(canaries).sort(), 'each is a variable without it')
  })

  t.test('the server accepts the secrets that compose.secrets.yaml gives it', async (t) => {
    const { services } = await read(overlay, '', {
      DB_PASSWORD: '',
      JWT_SIGN_KEY: '',
      MAIL_FROM: 'no-reply@rookery.example',
    })
    const folder = await temporary(t)
    await writeFile(join(folder, 'db-password'), 'Zx9-4kTq_w8LmN2p\n')
    await writeFile(join(folder, 'jwt-sign-key'), 'f3a1c25d77e04b68918de2a06b4c9f15\n')
    await writeFile(join(folder, 'password-pepper'), '2026-11:c25d77e04b68918d\n')
    await writeFile(join(folder, 'totp-keys'), '2026-11:18de2a06b4c9f15f3a1c25d77e04b689\n')
    await writeFile(join(folder, 'smtp-url'), 'smtps://mail.example\n')
    const given = Object.entries(services.api?.environment ?? {}).map(([name, value]) => [
      name,
      value.replace('/run/secrets', folder),
    ])
    const { secrets } = await readConfig({ NODE_ENV: 'production', ...Object.fromEntries(given) })
    t.match(secrets, {
      database: { password: 'Zx9-4kTq_w8LmN2p' },
      peppers: [{ id: '2026-11' }],
      totpKeys: [{ id: '2026-11' }],
    })
    for (const name of Object.keys(services.api?.environment ?? {})) t.ok(allVariableNames.includes(name), name)
  })

  t.test('without a password or a key, and without files, nothing starts', async (t) => {
    for (const missing of ['DB_PASSWORD', 'JWT_SIGN_KEY']) {
      const { [missing]: _, ...others } = canaries
      await t.rejects(read(['compose.yaml'], '', others), {
        message: new RegExp(`${missing} is not set\\. Generate one`),
      })
    }
  })

  t.test('the robots accept their command: the server is on another host than they are', async (t) => {
    const command = plain.get('bot')?.services.bot?.command ?? []
    const args = command.map((part) => part.replace('http://api:5000', 'http://rookery.invalid'))
    t.notSame(args, command)
    const bot = run(process.execPath, [join(root, 'run.mjs'), 'bot/index.ts', ...args])
    await t.rejects(bot, { message: /No server responds at http:\/\/rookery\.invalid/ })
  })

  t.test(
    'Grafana gets the password that is given, or one that is generated and kept, never its own default',
    async (t) => {
      const { services } = await read(['compose.yaml'], 'observe', canaries)
      const [shell = '', flags = '', script = ''] = services.grafana?.entrypoint ?? []
      const folder = await temporary(t)
      const start = async (env: Record<string, string>) => {
        const stand = script.replace('exec /run.sh', 'env')
        t.not(stand, script)
        const { stdout } = await run(shell, [flags, stand], {
          env: { PATH: process.env.PATH, GF_PATHS_DATA: folder, ...env },
        })
        return stdout.split('\n').filter((line) => line.startsWith('GF_SECURITY'))
      }
      const file = join(folder, 'admin-password')
      t.same(await start({ GF_SECURITY_ADMIN_PASSWORD: 'given' }), ['GF_SECURITY_ADMIN_PASSWORD=given'])
      const mounted = {
        GF_SECURITY_ADMIN_PASSWORD: '',
        GF_SECURITY_ADMIN_PASSWORD__FILE: '/run/secrets/grafana-password',
      }
      t.same(await start(mounted), ['GF_SECURITY_ADMIN_PASSWORD__FILE=/run/secrets/grafana-password'])
      t.same(await start({ GF_SECURITY_ADMIN_PASSWORD: '' }), [`GF_SECURITY_ADMIN_PASSWORD__FILE=${file}`])
      const generated = await readFile(file, 'utf8')
      t.match(generated, /^[A-Za-z0-9+/]{32}\n$/)
      t.equal((await stat(file)).mode & 0o777, 0o600)
      await start({ GF_SECURITY_ADMIN_PASSWORD: '' })
      t.equal(await readFile(file, 'utf8'), generated, 'the next start keeps it')
    },
  )
})
