import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { openPage, postOf, signUpOn, untilTrue, write } from './open-page.ts'

/** The same account on another device. */
async function otherDevice(url: string, username: string) {
  const client = makeClient(url)
  await client.post('v1/session', { json: { username, password } })
  return {
    client,
    async endOtherSessions() {
      await client.post('v1/session/confirm', { json: { password } })
      await client.delete('v1/sessions', { throwHttpErrors: true })
    },
  }
}

const showVisibility = (page: Page, isHidden: boolean) =>
  page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))`)

const untilLoggedOut = async (page: Page) => {
  await page.getByText('You are logged out').waitFor()
  await page.locator('nav').getByRole('link', { name: 'Log in' }).waitFor()
}

t.test('a session that ends elsewhere is shown without a click, with and without a stream', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  t.equal(await page.getByText('You are logged out').count(), 0, 'not to a stranger')
  await signUpOn(page, 'ended_far')
  await page.getByLabel('What is new?').fill('Half a thought')
  const { client, endOtherSessions } = await otherDevice(url, 'ended_far')
  await endOtherSessions()
  await untilLoggedOut(page)
  await page.locator('nav').getByRole('link', { name: 'Log in' }).click()
  await page.getByLabel('Username').fill('ended_far')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
  t.equal(await page.getByLabel('What is new?').inputValue(), 'Half a thought')
  t.equal(await page.getByText('You are logged out').count(), 0)

  await page.getByRole('link', { name: 'Account' }).click()
  await page.getByText('This one', { exact: true }).waitFor()
  const newPassword = 'tovi-gamu-rela-kobu-sida'
  await client.post('v1/session', { json: { username: 'ended_far', password } })
  await client.put('v1/account/password', { json: { currentPassword: password, newPassword }, throwHttpErrors: true })
  await untilLoggedOut(page)
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
})

t.test('a session that ended while the tab was hidden is shown when it becomes visible', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'hidden_tab')
  await page.getByRole('link', { name: 'Account' }).click()
  await page.getByText('This one', { exact: true }).waitFor()
  await showVisibility(page, true)
  // No timer of the page runs from here on.
  await page.evaluate(`for (let id = setTimeout(() => {}, 0); id > 0; id -= 1) clearTimeout(id)`)
  const { endOtherSessions } = await otherDevice(url, 'hidden_tab')
  await endOtherSessions()
  await showVisibility(page, false)
  await untilLoggedOut(page)
  t.pass()
})

t.test('the own password changed in one tab logs no other tab out', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page, context } = await openPage(t, url)
  await signUpOn(page, 'changing')
  await write(page, 'Still here')
  const settings = await context.newPage()
  await settings.goto(`${url}/#/settings`)
  await settings.getByLabel('Current password').fill(password)
  await settings.getByLabel('New password').fill('tovi-gamu-rela-kobu-sida')
  const checked = page.waitForResponse((response) => response.url().endsWith('/v1/session'))
  await settings.getByRole('button', { name: 'Change the password' }).click()
  await settings.getByText('Changed.').waitFor()
  await checked
  await postOf(page, 'Still here').getByRole('button', { name: 'Like 0', exact: true }).click()
  await postOf(page, 'Still here').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  t.equal(await page.getByText('You are logged out').count(), 0)
})

t.test('an own reaction of another browser is shown, with few requests', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'twofold')
  for (const text of ['first', 'second', 'third']) await write(page, text)
  const idOf = (text: string) => postOf(page, text).getAttribute('data-id')
  const { client } = await otherDevice(url, 'twofold')
  const react = async (text: string, value: 'like' | 'dislike') =>
    client.put(`v1/posts/${await idOf(text)}/reaction`, { json: { value }, throwHttpErrors: true })
  let reads = 0
  page.on('request', (request) => {
    if (/v1.(posts.|account.reactions)/.test(request.url())) reads += 1
  })
  await react('first', 'like')
  await react('second', 'dislike')
  await react('third', 'like')
  await postOf(page, 'first').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await postOf(page, 'second').getByRole('button', { name: 'Dislike 1', exact: true, pressed: true }).waitFor()
  await postOf(page, 'third').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await client.delete(`v1/posts/${await idOf('third')}/reaction`)
  await postOf(page, 'third').getByRole('button', { name: 'Like 0', exact: true, pressed: false }).waitFor()

  const { client: robot } = await signUp(url, 'robot')
  for (let n = 0; n < 40; n += 1)
    await robot.put(`v1/posts/${await idOf('first')}/reaction`, { json: { value: n % 2 ? 'like' : 'dislike' } })
  await postOf(page, 'first').getByRole('button', { name: 'Like 2', exact: true, pressed: true }).waitFor()
  t.ok(reads < 20, `${reads} requests`)
})

t.test('reactions of others lead to fewer and fewer requests', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'reader')
  await write(page, 'popular')
  const id = await postOf(page, 'popular').getAttribute('data-id')
  const { client: robot } = await signUp(url, 'robot')
  const readsAt = () =>
    page.evaluate<number[]>(`performance.getEntriesByType('resource')
      .filter(({ name }) => name.includes('/v1/account/reactions')).map(({ startTime }) => startTime)`)
  let found: number[] = []
  for (let n = 0; found.length < 2; n += 1) {
    await robot.put(`v1/posts/${id}/reaction`, { json: { value: n % 2 ? 'like' : 'dislike' }, throwHttpErrors: true })
    await sleep(200)
    found = await readsAt()
  }
  const [first = 0, second = 0] = found
  t.ok(second - first >= 3_900, `${Math.round(second - first)} ms from the first read to the second`)
})

t.test('an own reaction older than the last 100 is right, too', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'eager')
  await write(page, 'old')
  const old = await postOf(page, 'old').getAttribute('data-id')
  await page.goto(`${url}/#/posts/${old}`)
  await page.locator('.thread .state[data-state="live"]').waitFor()
  const { client } = await otherDevice(url, 'eager')
  const { client: author } = await signUp(url)
  const put = (id: string | null) => client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  await put(old)
  await Promise.all(
    Array.from({ length: 101 }, async (_, n) => {
      const { id } = await author.post('v1/posts', { json: { text: `${n}`, replyTo: old } }).json<{ id: string }>()
      return put(id)
    }),
  )
  await postOf(page, 'old').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await client.delete(`v1/posts/${old}/reaction`)
  await postOf(page, 'old').getByRole('button', { name: 'Like 0', exact: true, pressed: false }).waitFor()
  t.pass()
})

t.test('what changed while the tab was hidden is right when it becomes visible', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'peeking')
  await write(page, 'Peek')
  const id = await postOf(page, 'Peek').getAttribute('data-id')
  const { client } = await otherDevice(url, 'peeking')
  const setReaction = (value: 'like' | undefined) =>
    value
      ? client.put(`v1/posts/${id}/reaction`, { json: { value }, throwHttpErrors: true })
      : client.delete(`v1/posts/${id}/reaction`, { throwHttpErrors: true })
  for (const [view, ready] of [
    ['', '.state[data-state="live"]'],
    [`posts/${id}`, '.thread .state[data-state="live"]'],
  ]) {
    await page.goto(`${url}/#/${view}`)
    await page.locator(`main ${ready}`).waitFor()
    await showVisibility(page, true)
    await setReaction('like')
    await showVisibility(page, false)
    await postOf(page, 'Peek').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
    await showVisibility(page, true)
    await setReaction(undefined)
    await showVisibility(page, false)
    await postOf(page, 'Peek').getByRole('button', { name: 'Like 0', exact: true, pressed: false }).waitFor()
  }
  await page.goto(`${url}/#/reactions`)
  await page.getByText('You have not liked').waitFor()
  await showVisibility(page, true)
  await setReaction('like')
  await showVisibility(page, false)
  await postOf(page, 'Peek').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await untilTrue(page, `document.querySelectorAll('article').length === 1`)
})
