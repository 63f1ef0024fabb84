import type { Page } from 'playwright-core'
import t from 'tap'
import { testServer } from '../helper.ts'
import { inChromium, openChromium } from './chromium.ts'

/** Opens an operation, executes it as it is filled in, and returns the status that the page shows. */
async function tryOut(page: Page, operationId: string): Promise<string> {
  const block = page.locator(`.opblock[id$="-${operationId}"]`)
  await block.locator('.opblock-summary-control').click()
  await block.locator('button.execute').click()
  const status = await block.locator('.live-responses-table .response-col_status').last().innerText()
  await block.locator('.opblock-summary-control').click()
  return status.trim()
}

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`the page of the API works from top to bottom in Chromium, ${colorScheme}`, inChromium, async (t) => {
    const { url } = await testServer(t)
    const context = await openChromium(t)
    const page = await context.newPage()
    await page.emulateMedia({ colorScheme })
    const errors: string[] = []
    page.on('console', (message) => {
      // For a page of plain text, /readme, a browser asks for /favicon.ico.
      const isIcon = message.location().url.endsWith('/favicon.ico')
      if (message.type() === 'error' && !isIcon) errors.push(message.text())
    })
    page.on('pageerror', (error) => errors.push(error.message))
    const response = await page.goto(`${url}/docs`)
    t.match(response?.headers()['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self';/)
    await page.waitForSelector('.opblock-tag')
    t.same(await page.evaluate('[...document.querySelectorAll(".opblock-tag")].map((tag) => tag.dataset.tag)'), [
      'accounts',
      'sessions',
      'passkeys',
      'second factor',
      'posts',
      'reactions',
      'follows',
      'analytics',
      'operations',
    ])
    t.equal(await page.title(), 'Rookery API')
    t.match(await page.locator('header').innerText(), /log in below/i)
    t.equal(await page.locator('.authorize, .topbar, svg.locked, svg.unlocked').count(), 0, 'no logo and no padlock')
    const { SCREENSHOTS } = process.env
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/docs-${colorScheme}.png` })

    const all = [
      ['createAccount', '201'],
      ['readAccount', '200'],
      ['readOwnAccount', '200'],
      ['editProfile', '200'],
      ['createSession', '200'],
      ['readSession', '200'],
      ['createPost', '201'],
      ['readPost', '200'],
      ['editPost', '200'],
      ['setReaction', '200'],
      ['listReactions', '200'],
      ['deleteReaction', '200'],
      ['readTimeline', '200'],
      ['countReactions', '200'],
      ['checkReadiness', '200'],
    ] as const
    for (const [operationId, status] of colorScheme === 'light' ? all : all.slice(0, 1))
      t.equal(await tryOut(page, operationId), status, operationId)
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/tried-${colorScheme}.png`, fullPage: true })
    t.same(errors, [], 'no error and no violation of the content security policy')

    await page.goto(url)
    await page.getByRole('link', { name: 'Read the README' }).click()
    t.match(await page.locator('body').innerText(), /^# Rookery/)
    await page.goBack()
    await page.getByRole('link', { name: 'Try the API' }).click()
    await page.waitForSelector('.opblock-tag')
    t.same(errors, [])
  })
}
