import { type ChildProcess, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a file's tests did. */
export type Report = { passed: number; failed: number; skipped: number; cpuMs: number }
export type Outcome = Report & { output: string }

const root = fileURLToPath(new URL('..', import.meta.url))
export const failure: Report = { passed: 0, failed: 1, skipped: 0, cpuMs: 0 }
/** For a process whose tests have ended, and for one that tap's own time limit does not end. */
const graceMs = 60_000

/**
 * A process that runs test files one after another: loading the server takes more CPU time than most of their tests. It
 * has a process group of its own, so that a kill also reaches the processes that the tests have started.
 * @param name - different from that of every other process: tap's fixtures of the process are under it
 */
export function testProcess(name: string, env: NodeJS.ProcessEnv, timeoutSeconds: number) {
  const child = spawn(process.execPath, ['test/run-files.ts', name], {
    cwd: root,
    env: { ...process.env, ...env, TAP_TIMEOUT: String(timeoutSeconds) },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  let hasEnded = false
  // Not `close`: Node does not emit it for every child whose channel the parent has closed.
  const closed = [child.stdout, child.stderr].map((stream) => stream && once(stream, 'close'))
  const ended = Promise.all([once(child, 'exit'), ...closed]).then(([[code, signal]]) => {
    hasEnded = true
    return { isClean: code === 0, reason: `# the process ended with ${signal ?? `code ${code}`}\n` }
  })
  const kill = () => {
    try {
      if (child.pid !== undefined && !hasEnded) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended, and what it started.
    }
  }

  /** @returns what is wrong with a process that does not exit by itself, or with an error after its last file. */
  async function close(): Promise<string> {
    if (child.connected) child.disconnect()
    const timer = setTimeout(kill, graceMs)
    const { isClean, reason } = await ended
    clearTimeout(timer)
    return isClean ? '' : output + reason
  }

  return {
    kill,
    close,
    hasEnded: () => hasEnded,

    /** After a failure the process has ended: only then does `output` have all results. */
    async run(file: string): Promise<Outcome> {
      output = ''
      const timer = setTimeout(kill, timeoutSeconds * 1_000 + graceMs)
      // Fails if the process has ended, which `ended` tells.
      child.send(file, () => undefined)
      const report = await Promise.race([reported(child), ended.then(() => failure)])
      clearTimeout(timer)
      return report.failed > 0 ? { ...report, output: await close() } : { ...report, output }
    },
  }
}

async function reported(child: ChildProcess): Promise<Report> {
  for await (const [message] of on(child, 'message')) {
    // tap sends messages, too. run-files.ts sends this one.
    if (typeof message === 'object' && message !== null && 'report' in message) return message.report as Report
  }
  return failure
}
