import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { httpsSites } from '../clients/sites.ts'
import { makeClient, password, testServer } from '../helper.ts'
import { leavePosts, openPage, openTab, postOf, signUpOn, write } from './open-page.ts'

t.test('an expired access token is renewed without the reader seeing it', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page, context } = await openPage(t, url)
  await signUpOn(page, 'lasting')
  await write(page, 'Before')
  const own = postOf(page, 'Before')
  await own.getByRole('button', { name: 'Like 0', exact: true }).click()
  await own.getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  const expire = () => context.clearCookies({ name: 'session' })

  await expire()
  await write(page, 'After')
  await expire()
  // Public lists do not fail: they only lack the viewer's reactions.
  await page.getByRole('link', { name: '@lasting' }).first().click()
  await own.getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await expire()
  await page.locator('nav').getByRole('link', { name: 'Following' }).click()
  await own.getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await page.locator('.state[data-state="live"]').waitFor()
  await expire()
  await page.reload()
  await page.locator('nav').getByRole('link', { name: '@lasting' }).waitFor()
  await expire()
  let refreshes = 0
  page.on('request', (request) => {
    if (request.url().endsWith('/refresh')) refreshes += 1
  })
  await page.getByRole('link', { name: 'Account' }).click()
  await page.getByText('This one').waitFor()
  await page.getByText('account created').waitFor()
  t.equal(refreshes, 1, 'once for all requests that need it')
})

t.test('two tabs are in step: logins, logouts, reactions and edits', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page: first, context } = await openPage(t, url)
  const second = await openTab(t, context, url)
  await signUpOn(first, 'two_tabs')
  await second.locator('nav').getByRole('link', { name: '@two_tabs' }).waitFor()
  await write(first, 'In both')
  await postOf(second, 'In both').waitFor()
  await postOf(first, 'In both').getByRole('button', { name: 'Like 0', exact: true }).click()
  await postOf(second, 'In both').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await second.getByRole('link', { name: 'Account' }).click()
  await second.getByRole('button', { name: 'Log out', exact: true }).click()
  await first.locator('nav').getByRole('link', { name: 'Log in' }).waitFor()
  t.equal(await first.getByLabel('What is new?').count(), 0)
  await leavePosts(first)
  await first.locator('nav').getByRole('link', { name: 'Log in' }).click()
  await first.getByLabel('Username').fill('two_tabs')
  await first.getByLabel('Password', { exact: true }).fill(password)
  await first.getByRole('button', { name: 'Log in' }).click()
  await second.locator('nav').getByRole('link', { name: '@two_tabs' }).waitFor()
})

t.test('a session that was ended elsewhere is told, and what was written is kept', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'ended')
  await page.getByLabel('What is new?').fill('Half a thought')
  const other = makeClient(url)
  await other.post('v1/session', { json: { username: 'ended', password } })
  await other.post('v1/session/confirm', { json: { password } })
  t.equal((await other.delete('v1/sessions')).statusCode, 204)
  await page.getByRole('button', { name: 'Post', exact: true }).click()
  await page.locator('nav').getByRole('link', { name: 'Log in' }).click()
  await page.getByLabel('Username').fill('ended')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
  t.equal(await page.getByLabel('What is new?').inputValue(), 'Half a thought')
})

t.test('the page works through a proxy with https, and no script can read a token', inChromium, async (t) => {
  const { home, args } = await httpsSites(t)
  const { page, context } = await openPage(t, home, args)
  await signUpOn(page, 'over_https')
  await write(page, 'Encrypted')
  const names = (await context.cookies()).map(({ name, httpOnly }) => [name, httpOnly]).sort()
  t.same(names, [
    ['__Host-device', true],
    ['__Host-refresh', true],
    ['__Host-session', true],
  ])
  t.equal(await page.evaluate('document.cookie'), '')
  await context.clearCookies({ name: '__Host-session' })
  await postOf(page, 'Encrypted').getByRole('button', { name: 'Like 0', exact: true }).click()
  await postOf(page, 'Encrypted').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
})

t.test('what needs an account leads to the login, and an account never sees the login', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  for (const view of ['timeline', 'settings', 'reactions']) {
    await page.goto(`${url}/#/${view}`)
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await page.goto(`${url}/#/`)
  }
  await signUpOn(page, 'redirected')
  await page.goto(`${url}/#/log-in`)
  await page.getByLabel('What is new?').waitFor()
  t.equal(new URL(page.url()).hash, '#/')
})

t.test('an account stays logged in when the server does not answer at first', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'patient')
  await page.route('**/v1/session', (route) => route.abort())
  await page.reload()
  await page.locator('nav').getByRole('link', { name: 'Log in' }).waitFor()
  await page.unroute('**/v1/session')
  await page.locator('nav').getByRole('link', { name: '@patient' }).waitFor()
  t.pass()
})
