import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { eventually } from '../eventually.ts'
import { password, signUp, testServer } from '../helper.ts'
import { setUpApp } from './authenticator-app.ts'
import { logInOn, logOutOn, openPage, openSecurity, partOf, postOf, signUpOn, write } from './open-page.ts'
import { addAuthenticator } from './virtual-authenticator.ts'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

type Violation = { id: string; help: string; targets: string[] }

const violationsOn = (page: Page) =>
  page.evaluate<Violation[]>(`axe.run(document).then(({ violations }) => violations.map(
    ({ id, help, nodes }) => ({ id, help, targets: nodes.map(({ html }) => html) })))`)

/** On a busy machine, a view passes through states that do not last, such as pale figures after a read that failed. */
async function assertAccessible(t: Test, page: Page, name: string): Promise<void> {
  await page.evaluate(axe)
  let violations: Violation[] = []
  const findNone = async () => {
    violations = await violationsOn(page)
    return violations.length === 0
  }
  await eventually(findNone, { withinMs: 10_000, everyMs: 500 }).catch(() => {})
  t.same(violations, [], `axe finds nothing in ${name}`)
}

const isWide = (page: Page) =>
  page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth')

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`axe-core finds no violation in any view, ${colorScheme}`, inChromium, async (t) => {
    const { url } = await testServer(t)
    const { client } = await signUp(url, 'author')
    const { id } = await client.post('v1/posts', { json: { text: 'A post' } }).json<{ id: string }>()
    const { page, context } = await openPage(t, url)
    // An animation in progress has other colours.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await assertAccessible(t, page, 'the newest posts, logged out')
    for (const view of ['/sign-up', '/forgotten', 'reset=token', 'verify=token', '/log-in']) {
      await page.goto(`${url}/#${view}`)
      await page.locator('main form').waitFor()
      await assertAccessible(t, page, view)
    }
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('alert').waitFor()
    await assertAccessible(t, page, 'a form with an error')

    await signUpOn(page, 'reader')
    await postOf(page, 'A post').getByRole('button', { name: 'Like 0', exact: true }).click()
    await postOf(page, 'A post').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
    await postOf(page, 'A post').getByRole('button', { name: 'Reply' }).click()
    await write(page, 'My own')
    await page.locator('summary').click()
    await assertAccessible(t, page, 'the newest posts')
    for (const [view, selector] of [
      ['timeline', 'article'],
      [`posts/${id}`, '.thread'],
      ['@author', '.follow'],
      ['@author/followers', '.empty'],
      ['reactions', 'td'],
      ['settings', '.line'],
      ['security', '.line'],
      ['nowhere', '[role=alert]'],
    ]) {
      await page.goto(`${url}/#/${view}`)
      await page.locator(`main ${selector}`).first().waitFor()
      await assertAccessible(t, page, `${view}`)
    }
    await page.goto(`${url}/#/settings`)
    await page.getByRole('button', { name: 'Delete the account' }).click()
    await page.getByRole('button', { name: 'Delete it for good?' }).click()
    await page.getByRole('dialog').waitFor()
    await assertAccessible(t, page, 'the dialog')
    await page.goBack()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await context.clearCookies()
    await page.getByText('You are logged out').waitFor()
    await assertAccessible(t, page, 'a session that was lost')
  })
}

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(
    `axe-core finds no violation in passkeys, codes and the second step, ${colorScheme}`,
    inChromium,
    async (t) => {
      const { port } = await testServer(t)
      const { page } = await openPage(t, `http://localhost:${port}`)
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width: 360, height: 800 })
      await addAuthenticator(page)
      const check = async (name: string) => {
        // Pale while a read of the server's figures has failed.
        await page.locator('#pulse:not(.old)').waitFor()
        await assertAccessible(t, page, name)
        t.equal(await isWide(page), false, `${name} at 360 px`)
      }
      await signUpOn(page, 'a_reader_with_a_name_of_30_cha')
      const { part } = await setUpApp(page, () => check('an app that is being set up'))
      await check('recovery codes')
      await part.getByRole('button', { name: 'I have saved them' }).click()
      const passkeys = partOf(page, 'Passkeys')
      await passkeys.getByRole('button', { name: 'Add a passkey' }).click()
      await passkeys.getByText('Added.').waitFor()
      await check('security with everything on')
      await passkeys.getByRole('button', { name: 'Rename' }).click()
      await check('a passkey that is renamed')
      await logOutOn(page)
      await logInOn(page, 'a_reader_with_a_name_of_30_cha')
      await page.getByLabel('Code').waitFor()
      await check('the second step')
      await page.getByRole('button', { name: 'Use a recovery code' }).click()
      await check('the second step with a recovery code')
      await page.getByRole('button', { name: 'Back' }).click()
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
      await page.getByLabel('What is new?').waitFor()
      await openSecurity(page)
      await part.getByRole('button', { name: 'Use another app' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Password', { exact: true }).fill(password)
      await dialog.getByRole('button', { name: 'Confirm' }).click()
      await dialog.getByLabel('Code').waitFor()
      await dialog.getByRole('button', { name: 'Use a passkey instead' }).waitFor()
      await check('the dialog with a code')
    },
  )
}

t.test(
  'nothing is wider than the window from 360 px to 4k, and reduced motion has no animation',
  inChromium,
  async (t) => {
    const { url } = await testServer(t)
    const { client } = await signUp(url, 'an_author_with_a_name_of_30_ch')
    await client.patch('v1/account', { json: { displayName: 'W'.repeat(50) } })
    await client.post('v1/posts', { json: { text: 'm'.repeat(500) } })
    const { page } = await openPage(t, url)
    await signUpOn(page, 'a_reader_with_a_name_of_30_cha')
    for (const width of [360, 768, 1024, 1280, 3840]) {
      await page.setViewportSize({ width, height: 800 })
      for (const [view, selector] of [
        ['', 'article'],
        ['@an_author_with_a_name_of_30_ch', 'article'],
        ['settings', '.line'],
        ['security', '.line'],
      ]) {
        await page.goto(`${url}/#/${view}`)
        await page.locator(`main ${selector}`).first().waitFor()
        t.equal(await isWide(page), false, `${view} at ${width} px`)
      }
    }
    const animationOfNewPost = async (text: string) => {
      await page.goto(`${url}/#/`)
      await write(page, text)
      return page.evaluate("getComputedStyle(document.querySelector('li.new')).animationName")
    }
    t.equal(await animationOfNewPost('with motion'), 'arrive')
    await page.emulateMedia({ reducedMotion: 'reduce' })
    t.equal(await animationOfNewPost('without motion'), 'none')
  },
)
