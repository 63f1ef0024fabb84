import { on, once } from 'node:events'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import './without-async-hooks.ts'
import type { Report } from './test-process.ts'

// After the import above has run.
const { default: t } = await import('tap')

const timeoutMs = Number(process.env.TAP_TIMEOUT) * 1_000

async function runFile(file: string): Promise<Report> {
  const { pass, fail, skip } = t.counts
  const cpu = process.cpuUsage()
  t.setTimeout(timeoutMs)
  await import(pathToFileURL(resolve(file)).href)
  while (!t.idle) await once(t, 'idle')
  const { user, system } = process.cpuUsage(cpu)
  return {
    passed: t.counts.pass - pass,
    failed: t.counts.fail - fail,
    skipped: t.counts.skip - skip,
    cpuMs: Math.round((user + system) / 1_000),
  }
}

for await (const [file] of on(process, 'message', { close: ['disconnect'] })) {
  // The channel keeps the process alive between files, not a test that waits for nothing.
  process.channel?.unref()
  const report = await runFile(file)
  process.channel?.ref()
  process.send?.({ report })
}
