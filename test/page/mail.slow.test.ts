import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { makeClient, password, testServer } from '../helper.ts'
import { mailFolder, subjects, tokenIn } from '../mail/mailbox.ts'
import { confirmOn, logInOn, logOutOn, openPage, openSecurity, partOf, signUpOn } from './open-page.ts'

const newPassword = 'tovi-gamu-rela-kobu-sida'

t.test('an address is set, verified by its link, used to reset the password, and removed', inChromium, async (t) => {
  const mails = await mailFolder(t)
  const { url } = await testServer(t, mails.env)
  const address = 'owner@mail.example'
  const open = async (kind: 'reset' | 'verify') =>
    page.goto(`${url}/#${kind}=${tokenIn(await mails.receive(address, subjects[kind]), kind)}`)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'mail_owner')
  await openSecurity(page)
  const part = partOf(page, 'E-mail')
  await part.getByLabel('E-mail address').fill('not an address')
  await part.getByRole('button', { name: 'Send a link' }).click()
  await part.locator('.field').getByRole('alert').waitFor()
  await part.getByLabel('E-mail address').fill(address)
  await part.getByRole('button', { name: 'Send a link' }).click()
  await confirmOn(page)
  await part.getByText('A link is on its way').waitFor()
  await part.getByText('waits for you').waitFor()

  await open('verify')
  await page.getByRole('heading', { name: 'Verify your e-mail address' }).waitFor()
  t.equal(new URL(page.url()).hash, '#/verify', 'the token is gone from the address')
  await page.getByRole('button', { name: 'Verify the address' }).click()
  await page.getByText('The address is verified.').waitFor()
  await page.getByRole('link', { name: 'Security' }).click()
  await part.getByText(`${address} · verified`).waitFor()
  t.equal(await part.getByText('waits for you').count(), 0)

  await logOutOn(page)
  await page.locator('nav').getByRole('link', { name: 'Log in' }).click()
  const ask = async (username: string) => {
    await page.getByRole('link', { name: 'Forgot your password?' }).click()
    await page.getByLabel('Username').fill(username)
    await page.getByRole('button', { name: 'Send a link' }).click()
    const said = await page.getByText('If this account exists').innerText()
    await page.getByRole('link', { name: 'Back to the login' }).click()
    return said
  }
  t.equal(await ask('mail_owner'), await ask('never_existed'), 'it says the same of every name')

  await open('reset')
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
  t.equal(new URL(page.url()).hash, '#/reset')
  await page.getByLabel('New password').fill('short')
  await page.getByRole('button', { name: 'Change the password' }).click()
  await page.locator('.field').getByRole('alert').waitFor()
  await page.getByLabel('New password').fill(newPassword)
  await page.getByRole('button', { name: 'Change the password' }).click()
  await page.getByText('Log in with the new one.').waitFor()
  await page.getByLabel('Username').fill('mail_owner')
  await page.getByLabel('Password', { exact: true }).fill(newPassword)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByLabel('What is new?').waitFor()
  await page.locator('nav').getByRole('link', { name: 'Account' }).click()
  await page.getByText('Password reset').first().waitFor()
  await mails.receive(address, 'Your password was reset')

  await page.goto(`${url}/#/security`)
  await part.getByRole('button', { name: 'Remove the address' }).click()
  await part.getByRole('button', { name: 'Remove it?' }).click()
  await page.getByRole('dialog').getByLabel('Password', { exact: true }).fill(newPassword)
  await page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click()
  await part.getByText('Removed.').waitFor()
  t.equal(await part.getByText(address).count(), 0)
})

t.test(
  'a link that is wrong, cut or used is told in words, and a reset ends the session here',
  inChromium,
  async (t) => {
    const mails = await mailFolder(t)
    const { url } = await testServer(t, mails.env)
    const address = 'here@mail.example'
    const open = async (kind: 'reset' | 'verify') =>
      page.goto(`${url}/#${kind}=${tokenIn(await mails.receive(address, subjects[kind]), kind)}`)
    const { page } = await openPage(t, url)
    for (const [link, title, button] of [
      ['#reset=AAAA', 'Choose a new password', 'Change the password'],
      ['#verify=AAAA', 'Verify your e-mail address', 'Verify the address'],
    ] as const) {
      await page.goto(`${url}/${link}`)
      await page.getByRole('heading', { name: title }).waitFor()
      if (link.startsWith('#reset')) await page.getByLabel('New password').fill(newPassword)
      await page.getByRole('button', { name: button }).click()
      await page.locator('main').getByRole('alert').first().waitFor()
      await page.reload()
      await page.getByText('Open the link in the mail').waitFor()
    }
    await page.goto(`${url}/#/`)
    await signUpOn(page, 'still_here')
    await openSecurity(page)
    await partOf(page, 'E-mail').getByLabel('E-mail address').fill(address)
    await partOf(page, 'E-mail').getByRole('button', { name: 'Send a link' }).click()
    await confirmOn(page)
    await open('verify')
    await page.getByRole('button', { name: 'Verify the address' }).click()
    await page.getByText('The address is verified.').waitFor()
    await makeClient(url).post('v1/password-reset', { json: { username: 'still_here' } })
    await open('reset')
    await page.getByLabel('New password').fill(newPassword)
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByText('Log in with the new one.').waitFor()
    t.equal(await page.getByText('You are logged out').count(), 0, 'it was expected')
    await page.locator('nav').getByRole('link', { name: 'Sign up' }).waitFor()
    await logInOn(page, 'still_here', password)
    await page.getByRole('alert').getByText('wrong').waitFor()
  },
)

t.test('where the server sends no mail, the page says what the server says', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  const off = {
    status: 403,
    contentType: 'application/problem+json',
    body: JSON.stringify({
      title: 'Permission denied',
      status: 403,
      code: 'forbidden',
      detail: 'SMTP_URL is missing.',
    }),
  }
  await page.route(/v1.(account.email|password-reset)/, (route) => route.fulfill(off))
  await signUpOn(page, 'mailless')
  await openSecurity(page)
  await partOf(page, 'E-mail').getByText('SMTP_URL is missing.').waitFor()
  t.equal(await partOf(page, 'E-mail').getByRole('textbox').count(), 0)
  await logOutOn(page)
  await page.locator('nav').getByRole('link', { name: 'Log in' }).click()
  await page.getByRole('link', { name: 'Forgot your password?' }).click()
  await page.getByLabel('Username').fill('mailless')
  await page.getByRole('button', { name: 'Send a link' }).click()
  await page.getByText('SMTP_URL is missing.').waitFor()
  t.equal(await page.getByRole('textbox').count(), 0)
})
