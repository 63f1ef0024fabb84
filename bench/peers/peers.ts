import { copyFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Recipe, runTool } from './install.ts'

type Peer = Recipe & {
  /** The command line of its server, from what `build` has made. */
  command(installed: string, port: number, dataDir: string): string[]
}

const folderOf = (name: string) => join(import.meta.dirname, name)

/** gunicorn's documentation recommends twice the cores and one. */
const workers = 2 * availableParallelism() + 1

const flask: Peer = {
  folder: folderOf('flask'),
  sources: ['requirements.txt'],
  async build(target) {
    const advice = 'Flask needs python3 with venv and pip.'
    await runTool('python3', ['-m', 'venv', target], advice)
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r']
    await runTool(join(target, 'bin', 'python'), [...pip, join(flask.folder, 'requirements.txt')], advice)
  },
  command: (installed, port) => [
    join(installed, 'bin', 'python'),
    // No bytecode files beside app.py.
    ...['-B', '-m', 'gunicorn', '--chdir', flask.folder, '--bind', `127.0.0.1:${port}`],
    ...['--workers', String(workers), '--threads', '8'],
    // Idle connections wait for their next round.
    ...['--keep-alive', '600', '--log-level', 'error', 'app:app'],
  ],
}

const express: Peer = {
  folder: folderOf('express'),
  sources: ['package.json', 'package-lock.json', 'server.js'],
  async build(target) {
    for (const source of express.sources) await copyFile(join(express.folder, source), join(target, source))
    const npm = ['ci', '--prefix', target, '--ignore-scripts', '--no-audit', '--no-fund']
    await runTool('npm', npm, 'Express needs npm and its registry.')
  },
  command: (installed) => [process.execPath, join(installed, 'server.js')],
}

const pocketbase: Peer = {
  folder: folderOf('pocketbase'),
  sources: ['go.mod', 'go.sum', 'main.go'],
  async build(target) {
    const settings = ['GOFLAGS=-buildvcs=false', 'CGO_ENABLED=0']
    const build = [
      'build',
      '-C',
      pocketbase.folder,
      '-mod=readonly',
      '-trimpath',
      '-o',
      join(target, 'pocketbase'),
      '.',
    ]
    await runTool('go', ['version'], 'PocketBase needs Go 1.25 or later.')
    await runTool('env', [...settings, 'go', ...build], 'PocketBase needs Go 1.25 or later.')
  },
  command: (installed, port, dataDir) => [
    join(installed, 'pocketbase'),
    ...['serve', `--http=127.0.0.1:${port}`, `--dir=${dataDir}`],
  ],
}

/** The servers that a user would pick, each as its users write it on one page. */
export const peers = { flask, express, pocketbase }

export type PeerName = keyof typeof peers
