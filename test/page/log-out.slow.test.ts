import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { makeClient, password, testServer } from '../helper.ts'
import { openPage, signUpOn } from './open-page.ts'

t.test('"Log out everywhere" ends the sessions of other devices, too', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'everywhere')
  const other = makeClient(url)
  await other.post('v1/session', { json: { username: 'everywhere', password }, throwHttpErrors: true })
  await page.locator('nav').getByRole('link', { name: 'Account' }).click()
  await page.getByRole('button', { name: 'Log out everywhere' }).click()
  await page.getByRole('button', { name: 'End all your sessions?' }).click()
  await page.locator('nav').getByRole('link', { name: 'Log in' }).waitFor()
  t.equal((await other.get('v1/session')).statusCode, 401)
  t.equal(await page.getByText('You are logged out').count(), 0)
})
