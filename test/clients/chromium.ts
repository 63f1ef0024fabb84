import { access, constants } from 'node:fs/promises'
import { type Browser, chromium } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome']

/** Where a Chromium is: what CHROMIUM names, or a usual place. */
export async function findChromium(): Promise<string | undefined> {
  for (const path of process.env.CHROMIUM ? [process.env.CHROMIUM] : places) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return undefined
}

/** A browser without a window that talks to nobody of its own accord. */
export const startChromium = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-proxy-server'],
    timeout: 120_000,
  })
