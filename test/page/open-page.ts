import type { BrowserContext, Page } from 'playwright-core'
import type { Test } from 'tap'
import { openChromium } from '../clients/chromium.ts'
import { eventually } from '../eventually.ts'
import { password } from '../helper.ts'

export const patienceMs = 60_000

/** A tab of the page. What its console says is an error fails the test, but answers that are errors do not. */
export async function openTab(t: Test, context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(patienceMs)
  const watch = (text: string) => {
    if (!/Failed to load resource|ERR_/.test(text)) t.fail(text)
  }
  page.on('console', (message) => message.type() === 'error' && watch(message.text()))
  page.on('pageerror', (error) => watch(error.message))
  await page.goto(url)
  await page.locator('.state[data-state="live"]').waitFor()
  return page
}

export async function openPage(t: Test, url: string, args: readonly string[] = []) {
  const context = await openChromium(t, args)
  return { context, page: await openTab(t, context, url) }
}

/** Signs up by hand. */
export async function signUpOn(page: Page, username: string): Promise<void> {
  await page.locator('nav').getByRole('link', { name: 'Sign up' }).click()
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign up' }).click()
  await page.getByLabel('What is new?').waitFor()
}

/** Logs in by hand, as far as the password goes. */
export async function logInOn(page: Page, username: string, withPassword = password): Promise<void> {
  await page.locator('nav').getByRole('link', { name: 'Log in' }).click()
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password', { exact: true }).fill(withPassword)
  await page.getByRole('button', { name: 'Log in' }).click()
}

export async function logOutOn(page: Page): Promise<void> {
  await page.locator('nav').getByRole('link', { name: 'Account' }).click()
  await page.getByRole('button', { name: 'Log out', exact: true }).click()
  await page.locator('nav').getByRole('link', { name: 'Log in' }).waitFor()
}

/** Answers the question whether it is the owner. */
export async function confirmOn(page: Page): Promise<void> {
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Password', { exact: true }).fill(password)
  await dialog.getByRole('button', { name: 'Confirm' }).click()
  await dialog.waitFor({ state: 'detached' })
}

export async function openSecurity(page: Page): Promise<void> {
  await page.locator('nav').getByRole('link', { name: 'Account' }).click()
  await page.getByRole('link', { name: 'Passkeys, authenticator app' }).click()
  await page.getByRole('heading', { name: 'Security' }).waitFor()
}

/** A part of a view, by its heading. */
export const partOf = (page: Page, name: string) => page.getByRole('region', { name, exact: true })

export async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel('What is new?').fill(text)
  await page.getByRole('button', { name: 'Post', exact: true }).click()
  await postOf(page, text).waitFor()
}

/** The post with this text. */
export const postOf = (page: Page, text: string) => page.locator('article', { hasText: text })

/** Moves the mouse where no post is, so that new ones are shown. */
export const leavePosts = (page: Page) => page.mouse.move(1, 1)

/** Waits until an expression is true in the page; `waitForFunction` evaluates text there, which its policy forbids. */
export const untilTrue = (page: Page, expression: string) => eventually(() => page.evaluate<boolean>(expression))
