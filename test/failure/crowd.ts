import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Report, reportSchema } from '../../bot/report/schema.ts'
import { lastLines } from './last-lines.ts'

const root = join(import.meta.dirname, '../..')
/** Longer than any fault: the robots go on until they are told to end. */
const longest = '30m'

export type Crowd = Awaited<ReturnType<typeof startCrowd>>

/**
 * Starts robots with a ledger, and resolves when they have signed up and are at work.
 * @param name - of their files in the folder
 */
export async function startCrowd(url: string, folder: string, name: string) {
  const ledger = join(folder, `${name}.ledger`)
  const json = join(folder, `${name}.json`)
  const size = ['--robots', '6', '--rate', '30', '--for', longest, '--silence', longest]
  const bot = spawn(process.execPath, ['bot/index.ts', '--url', url, ...size, '--json', json, '--ledger', ledger], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const logFile = join(folder, `${name}.log`)
  const log = createWriteStream(logFile)
  bot.stderr.pipe(log, { end: false })
  const ended = once(bot, 'close')
  await new Promise<void>((resolve, reject) => {
    bot.stdout.on('data', (chunk: Buffer) => {
      log.write(chunk)
      // The line of the pulse, every 5 seconds.
      if (/ at work; .*; day: \d/.test(chunk.toString())) resolve()
    })
    ended.then(async () => reject(new Error(`the robots ended before their day:\n${await lastLines(logFile)}`)))
  })
  return {
    /** Ends the day; resolves with the report when the robots have compared the server with their ledger. */
    async end(): Promise<Report> {
      bot.kill('SIGUSR2')
      await ended
      log.end()
      return reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
    },
    async kill(): Promise<void> {
      bot.kill('SIGKILL')
      await ended
    },
  }
}
