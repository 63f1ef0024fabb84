import { readFile } from 'node:fs/promises'
import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { openPage, postOf, signUpOn, write } from './open-page.ts'

t.test(
  'follow, timeline, threads, profile, password, sessions, activity, export and deletion by hand',
  inChromium,
  async (t) => {
    const { url } = await testServer(t)
    const { client: friend } = await signUp(url, 'friend')
    await friend.post('v1/posts', { json: { text: 'From a friend' } })
    const { page } = await openPage(t, url)
    await signUpOn(page, 'page_owner')

    await postOf(page, 'From a friend').getByRole('link', { name: '@friend' }).click()
    await page.getByRole('button', { name: 'Follow' }).click()
    await page.getByRole('button', { name: 'Unfollow' }).waitFor()
    await page.getByRole('link', { name: '1 follower' }).waitFor()
    await page.locator('nav').getByRole('link', { name: 'Following' }).click()
    await postOf(page, 'From a friend').waitFor()
    await friend.post('v1/posts', { json: { text: 'And live' } })
    await postOf(page, 'And live').waitFor()

    await postOf(page, 'And live').getByRole('button', { name: 'Reply' }).click()
    await page.getByLabel('Your reply').fill('Seen')
    await postOf(page, 'And live').locator('form button').click()
    await postOf(page, 'And live').getByRole('link', { name: '1 reply' }).click()
    await postOf(page, 'Seen').waitFor()
    await postOf(page, 'Seen').getByRole('button', { name: 'Edit' }).click()
    await page.getByLabel('Edit the post').fill('Seen and edited')
    await page.getByRole('button', { name: 'Save' }).click()
    await postOf(page, 'Seen and edited').getByText('edited', { exact: true }).waitFor()

    await page.getByRole('link', { name: 'Account' }).click()
    await page.getByLabel('Name', { exact: true }).fill('The Owner 🦉')
    await page.getByLabel('About you').fill('Counts owls.')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').waitFor()
    const next = 'tovi-gamu-rela-kobu-sida'
    await page.getByLabel('Current password').fill('a wrong password')
    await page.getByLabel('New password').fill(next)
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.locator('section', { hasText: 'Current password' }).getByRole('alert').waitFor()
    await page.getByLabel('Current password').fill(password)
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByText('Changed.').waitFor()

    const other = makeClient(url)
    await other.post('v1/session', { json: { username: 'page_owner', password: next } })
    await page.reload()
    await page.getByText('password changed').waitFor()
    await page.getByRole('button', { name: 'End this one' }).click()
    await page.getByRole('button', { name: 'End this session?' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Password', { exact: true }).fill('a wrong password')
    await dialog.getByRole('button', { name: 'Confirm' }).click()
    await dialog.getByRole('alert').waitFor()
    await dialog.getByLabel('Password', { exact: true }).fill(next)
    await dialog.getByRole('button', { name: 'Confirm' }).click()
    await page.getByRole('button', { name: 'End this one' }).waitFor({ state: 'detached' })
    t.equal((await other.get('v1/session')).statusCode, 401)

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export' }).click(),
    ])
    t.equal(download.suggestedFilename(), 'rookery-export.ndjson')
    const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n')
    t.match(JSON.parse(lines[0] ?? ''), { type: 'account', username: 'page_owner', bio: 'Counts owls.' })
    t.same(JSON.parse(lines.at(-1) ?? ''), { end: true })

    await page.locator('nav').getByRole('link', { name: '@page_owner' }).click()
    await page.getByRole('heading', { name: 'The Owner 🦉' }).waitFor()
    await page.getByText('Counts owls.').waitFor()
    await page.getByRole('link', { name: 'Newest' }).click()
    await write(page, 'Goodbye')
    await page.getByRole('link', { name: 'Account' }).click()
    await page.getByRole('button', { name: 'Delete the account' }).click()
    await page.getByRole('button', { name: 'Delete it for good?' }).click()
    await page.locator('nav').getByRole('link', { name: 'Sign up' }).waitFor()
    t.equal((await makeClient(url).get('v1/accounts/page_owner')).statusCode, 404)
    await postOf(page, 'From a friend').waitFor()
    t.equal(await postOf(page, 'Goodbye').count(), 0)
  },
)
