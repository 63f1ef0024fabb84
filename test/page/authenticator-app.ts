import { Secret, TOTP } from 'otpauth'
import type { Page } from 'playwright-core'
import decodeQR from 'qr/decode.js'
import { confirmOn, openSecurity, partOf, untilTrue } from './open-page.ts'

const periodSeconds = 30

/** What a camera reads from the code that is shown. */
async function readQrCode(page: Page): Promise<URL> {
  const widthPx = 400
  const data = await page.evaluate<number[]>(`(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: ${widthPx}, height: ${widthPx} })
    const context = canvas.getContext('2d')
    context.fillStyle = 'white'
    context.fillRect(0, 0, ${widthPx}, ${widthPx})
    context.drawImage(document.querySelector('img.qr'), 0, 0, ${widthPx}, ${widthPx})
    return [...context.getImageData(0, 0, ${widthPx}, ${widthPx}).data]
  })()`)
  return new URL(decodeQR({ width: widthPx, height: widthPx, data: Uint8ClampedArray.from(data) }))
}

/** An app that shows each code once: the server takes none a second time, and the next one already. */
function authenticatorApp(uri: URL) {
  const totp = new TOTP({ secret: Secret.fromBase32(uri.searchParams.get('secret') ?? ''), period: periodSeconds })
  let last = 0
  return () => {
    last = Math.max(Math.floor(Date.now() / 1_000 / periodSeconds), last + 1)
    return totp.generate({ timestamp: last * periodSeconds * 1_000 })
  }
}

/** Enrols by the QR code. @param onShown - once it is shown */
export async function setUpApp(page: Page, onShown = async () => {}) {
  const part = partOf(page, 'Authenticator app')
  await openSecurity(page)
  await part.getByRole('button', { name: 'Set up an authenticator app' }).click()
  await confirmOn(page)
  await untilTrue(page, `document.querySelector('img.qr')?.naturalWidth > 0`)
  const nextCode = authenticatorApp(await readQrCode(page))
  await onShown()
  await part.getByLabel('Code').fill(nextCode())
  await part.getByRole('button', { name: 'Switch it on' }).click()
  await part.locator('.codes code').first().waitFor()
  const codes = await part.locator('.codes code').allInnerTexts()
  return { part, nextCode, codes }
}
