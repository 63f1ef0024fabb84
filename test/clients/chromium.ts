import { access, constants, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

export type Answer = {
  status: number
  body: { id?: string; code?: string; account?: { username: string }; viewer?: object | null } | undefined
}

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome']

/** Where a Chromium is: what CHROMIUM names, or a usual place. */
async function findChromium(): Promise<string | undefined> {
  for (const path of process.env.CHROMIUM ? [process.env.CHROMIUM] : places) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return undefined
}

const executablePath = await findChromium()

/** For a test with a Chromium: passed over where there is none, but not in CI, and given the time of a slow machine. */
export const inChromium = {
  skip: executablePath === undefined && !process.env.CI && 'no Chromium here: install it, or set CHROMIUM to one',
  timeout: 240_000,
}

/**
 * A browser without a window and a past that talks to nobody of its own accord; it ends with the test. What it does by
 * default for its user, to send no cookie from one site to another, it must not do here: that is for SameSite to do.
 */
export async function openChromium(t: Test, args: readonly string[] = []): Promise<BrowserContext> {
  if (executablePath === undefined) throw new Error('In CI a Chromium is needed')
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

/** Asks from inside a page, as its own script would. */
export function ask(page: Page, method: string, url: string, body?: object): Promise<Answer> {
  const headers = body && { 'content-type': 'application/json' }
  const options = { method, credentials: 'include', headers, body: body && JSON.stringify(body) }
  // Text, because what runs in the page has the types of a browser.
  return page.evaluate(`(async () => {
    const response = await fetch(${JSON.stringify(url)}, ${JSON.stringify(options)})
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  })()`)
}
