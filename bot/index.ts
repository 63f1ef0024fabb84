import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import '../require-node.mjs'

/**
 * tsx kills a program that does not notice a Ctrl-C within 60 ms, and a busy crowd of robots might not: this process
 * stays idle, and the robots run in another one.
 */
async function runApart(): Promise<number> {
  const child = spawn(process.execPath, [import.meta.filename, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => child.kill(signal))
  const [code] = await once(child, 'close')
  return code ?? 1
}

if (process.execArgv.some((argument) => argument.includes('tsx'))) process.exitCode = await runApart()
else {
  // A static import would let an old Node.js fail on syntax before require-node.mjs can print its message.
  const { main } = await import('./command.ts')
  // A large crowd makes much garbage, with which V8 would let the heap of 1,000 robots grow to 2 GB. Half more than what
  // lives costs little time; a heap that `--optimize-for-size` keeps smaller takes half of the CPU.
  setFlagsFromString('--heap-growing-percent=50')
  await main(process.argv.slice(2))
}
