import { access, constants, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

export type Answer = {
  status: number
  body: { id?: string; code?: string; account?: { username: string }; viewer?: object | null } | undefined
}

const usualPaths = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/opt/google/chrome/chrome',
]

/** The path of a Chromium: CHROMIUM, or a usual one. */
async function findChromium(): Promise<string | undefined> {
  for (const path of process.env.CHROMIUM ? [process.env.CHROMIUM] : usualPaths) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return undefined
}

const executablePath = await findChromium()

/** Options of a test that needs Chromium. Without one it is skipped, but fails in CI. */
export const inChromium = {
  skip: executablePath === undefined && !process.env.CI && 'no Chromium: install it, or set CHROMIUM to its path',
  timeout: 240_000,
}

/**
 * A headless browser with a new profile and no requests of its own; it ends with the test. Its default blocking of
 * third-party cookies is off, so that only SameSite holds cookies back.
 */
export async function openChromium(t: Test, args: readonly string[] = []): Promise<BrowserContext> {
  if (executablePath === undefined) throw new Error('CI requires a Chromium')
  const profile = await mkdtemp(join(tmpdir(), 'rookery-chromium-'))
  t.teardown(() => rm(profile, { recursive: true, force: true, maxRetries: 3 }))
  await mkdir(join(profile, 'Default'))
  await writeFile(join(profile, 'Default', 'Preferences'), '{"profile":{"cookie_controls_mode":0}}')
  const quiet = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-proxy-server']
  const options = { executablePath, args: [...quiet, ...args], timeout: 120_000 }
  const context = await chromium.launchPersistentContext(profile, options)
  t.teardown(() => context.close())
  return context
}

/** Sends a request from inside a page, as the page's own script would. */
export function fetchFrom(page: Page, method: string, url: string, body?: object): Promise<Answer> {
  const headers = body && { 'content-type': 'application/json' }
  const options = { method, credentials: 'include', headers, body: body && JSON.stringify(body) }
  // A string, because the page's code has the types of a browser.
  return page.evaluate(`(async () => {
    const response = await fetch(${JSON.stringify(url)}, ${JSON.stringify(options)})
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  })()`)
}
