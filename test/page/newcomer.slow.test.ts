import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { eventually } from '../eventually.ts'
import { signUp, testServer } from '../helper.ts'
import { leavePosts, openPage, postOf, signUpOn, untilTrue, write } from './open-page.ts'

t.test('a newcomer signs up, posts and likes, and sees posts and likes of others arrive', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  t.match(await page.locator('.empty').innerText(), new RegExp(`npx tsx bot --url '?${url}`))

  await page.locator('nav').getByRole('link', { name: 'Sign up' }).click()
  await page.getByLabel('Username').fill('newcomer')
  await page.getByRole('button', { name: 'Suggest one' }).click()
  t.match(await page.getByLabel('Password', { exact: true }).inputValue(), /^([a-z]{4}-){4}[a-z]{4}$/)
  await page.getByRole('button', { name: 'Sign up' }).click()
  await write(page, 'My first post')
  const own = postOf(page, 'My first post')
  await own.getByRole('button', { name: 'Like 0', exact: true }).click()
  await own.getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await own.getByRole('button', { name: 'Dislike 0', exact: true }).click()
  await own.getByRole('button', { name: 'Like 0', exact: true, pressed: false }).waitFor()
  await own.getByRole('button', { name: 'Dislike 1', exact: true, pressed: true }).click()
  await own.getByRole('button', { name: 'Dislike 0', exact: true, pressed: false }).waitFor()
  await leavePosts(page)
  t.equal(await page.locator('.robots pre').isVisible(), false)
  await page.locator('summary', { hasText: 'How to start the robots' }).click()
  t.match(await page.locator('.robots pre').innerText(), new RegExp(`npx tsx bot --url '?${url}`))

  const { client } = await signUp(url, 'neighbour')
  const { id } = await client.post('v1/posts', { json: { text: 'From next door' } }).json<{ id: string }>()
  await postOf(page, 'From next door').waitFor()
  t.match(await page.locator('article').first().innerText(), /From next door/, 'the newest is the first')
  await client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  await postOf(page, 'From next door').getByRole('button', { name: 'Like 1', exact: true, pressed: false }).waitFor()
  await client.post('v1/posts', { json: { text: 'An answer', replyTo: id } })
  await postOf(page, 'From next door').getByRole('link', { name: '1 reply' }).waitFor()
  await client.patch(`v1/posts/${id}`, { json: { text: 'From two doors away' } })
  await postOf(page, 'From two doors away').getByText('edited').waitFor()
  await client.delete(`v1/posts/${id}`)
  await postOf(page, 'From two doors away').waitFor({ state: 'detached' })
  t.equal(await page.locator('article').count(), 1, 'a reply is not among the newest posts')

  await untilTrue(page, `/[1-9]/.test(document.querySelector('[data-series="requests"] .most').textContent)`)
})

t.test('posts wait while the list is pointed at or paused, and a button shows them', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  const { client } = await signUp(url)
  const post = (text: string) => client.post('v1/posts', { json: { text } })
  await post('one')
  const one = await postOf(page, 'one').boundingBox()
  const point = (offset: number) => page.mouse.move((one?.x ?? 0) + 20 + offset, (one?.y ?? 0) + 20)
  await point(0)
  await post('two')
  let moves = 0
  await eventually(async () => {
    moves += 1
    await point(moves % 2)
    return page.getByRole('button', { name: 'Show 1 new post' }).isVisible()
  })
  t.equal(await postOf(page, 'two').count(), 0)
  await leavePosts(page)
  await postOf(page, 'two').waitFor()
  await page.getByRole('button', { name: 'Pause' }).click()
  await leavePosts(page)
  await post('three')
  await post('four')
  await page.getByRole('button', { name: 'Show 2 new posts' }).click()
  t.same(await page.locator('article .text').allInnerTexts(), ['four', 'three', 'two', 'one'])
})

t.test('after an interruption the page shows what it missed', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page, context } = await openPage(t, url)
  const { client } = await signUp(url)
  await context.setOffline(true)
  await client.post('v1/posts', { json: { text: 'missed' } })
  await page.locator('#pulse .hint').waitFor()
  await context.setOffline(false)
  await postOf(page, 'missed').waitFor()
})

t.test('everything a newcomer does can be done with the keyboard alone', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key)
  }
  /** Moves on until an element of this name has the focus. */
  const tabTo = async (name: RegExp) => {
    for (let steps = 0; steps < 40; steps += 1) {
      await page.keyboard.press('Tab')
      const label = await page.evaluate<string>(
        `[document.activeElement.labels?.[0]?.textContent, document.activeElement.textContent].join(' ')`,
      )
      if (name.test(label)) return
    }
    throw new Error(`Tab never reaches ${name}`)
  }
  await tabTo(/Skip to the posts/)
  await press('Enter')
  await tabTo(/^\s*Sign up/)
  await press('Enter')
  await page.getByRole('heading', { name: 'Sign up' }).waitFor()
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Sign up', 'the heading has the focus')
  await tabTo(/Username/)
  await page.keyboard.type('keyboard_user')
  await tabTo(/Suggest one/)
  await press('Space')
  await tabTo(/^\s*Sign up/)
  await press('Enter')
  await page.getByLabel('What is new?').waitFor()
  await tabTo(/What is new/)
  await page.keyboard.type('Typed')
  await press('Control+Enter')
  await postOf(page, 'Typed').waitFor()
  await tabTo(/^\s*Like/)
  await press('Space')
  await postOf(page, 'Typed').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  await tabTo(/^\s*Reply/)
  await press('Enter')
  await page.keyboard.type('Answered')
  await press('Control+Enter')
  await postOf(page, 'Typed').getByRole('link', { name: '1 reply' }).waitFor()
  t.match(await page.evaluate('document.activeElement.textContent'), /^Reply/, 'and the focus is where it was')
  await tabTo(/^\s*Delete/)
  await press('Enter')
  await page.getByRole('button', { name: 'Delete this post?' }).waitFor()
  await press('Enter')
  await postOf(page, 'Typed').waitFor({ state: 'detached' })
})

t.test(
  'an account that exists is told in the words of the problem, and at the field if it is about one',
  inChromium,
  async (t) => {
    const { url } = await testServer(t)
    await signUp(url, 'taken_name')
    const { page } = await openPage(t, url)
    await page.locator('nav').getByRole('link', { name: 'Sign up' }).click()
    await page.getByLabel('Username').fill('taken_name')
    await page.getByLabel('Password', { exact: true }).fill('short')
    t.match(await page.locator('main .hint').allInnerTexts(), [/3 to 30/, /5 of 15 characters/])
    await page.getByRole('button', { name: 'Sign up' }).click()
    await page.locator('.field', { hasText: 'Password' }).getByText('Must have 15 to 256 characters.').waitFor()
    t.equal(await page.getByLabel('Password', { exact: true }).getAttribute('aria-invalid'), 'true')
    await page.getByRole('button', { name: 'Suggest one' }).click()
    await page.getByRole('button', { name: 'Sign up' }).click()
    const { detail } = JSON.parse(
      await page.evaluate(`fetch('/v1/accounts', { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'taken_name', password: 'kibo-tanu-resi-vomo-lupa' }) }).then((r) => r.text())`),
    )
    await page.getByRole('alert').getByText(detail).waitFor()
  },
)

t.test('the bar below a new password shows its length and says nothing of its strength', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await page.locator('nav').getByRole('link', { name: 'Sign up' }).click()
  const bar = page.getByRole('progressbar', { name: 'Length' })
  const type = (text: string) => page.getByLabel('Password', { exact: true }).fill(text)
  await type('12345')
  t.equal(await bar.getAttribute('value'), '5')
  t.equal(await bar.getAttribute('max'), '15')
  await type('123456789012345678')
  t.equal(await bar.getAttribute('value'), '15')
  await page.getByText('18 characters: long enough. Rookery also refuses what is easy to guess').waitFor()
  t.equal(await page.locator('meter').count(), 0)
  const colourOf = (element: string) =>
    page.evaluate<string>(`getComputedStyle(document.querySelector('${element}')).accentColor`)
  t.not(await colourOf('progress'), await colourOf('[type=checkbox]'), 'not the colour of what is right')
})

t.test('words that a newcomer understands', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  const pulse = page.locator('#pulse')
  await pulse.getByText('Response time').waitFor()
  t.notMatch(await pulse.innerText(), /p95/)
  await page.goto(`${url}/#/nowhere`)
  await page.getByRole('heading', { name: 'Not found' }).waitFor()
  await page.goto(`${url}/#/`)
  await signUpOn(page, 'reading_words')
  await page.getByRole('link', { name: 'Account' }).click()
  const session = page.locator('.line', { hasText: 'This one' }).locator('.client')
  await session.getByText(/^127.0.0.1 · Chrome on Linux$/).waitFor()
  t.match(await session.locator('[title]').getAttribute('title'), /^Mozilla.*Chrome/)
  await page.locator('section', { hasText: 'Activity' }).getByText('Account created').waitFor()
})

t.test('a second page in the same browser', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'returning')
  await page.reload()
  await page.locator('nav').getByRole('link', { name: '@returning' }).waitFor()
  t.pass('the session is still there')
})

t.test('times are those of the reader’s time zone', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  await client.post('v1/posts', { json: { text: 'Fireworks' } })
  const createdAt = '2026-01-01T01:05:00.000Z'
  const { page, context } = await openPage(t, url)
  await page.route('**/v1/posts?*', async (route) => {
    const response = await route.fetch()
    const { items, nextCursor } = await response.json()
    const old = items.map((item: object) => ({ ...item, createdAt }))
    await route.fulfill({ response, json: { items: old, nextCursor } })
  })
  for (const [timezoneId, date, time] of [
    ['Pacific/Kiritimati', 'Jan 1, 2026', '3:05 PM'],
    ['America/Caracas', 'Dec 31, 2025', '9:05 PM'],
  ] as const) {
    const devtools = await context.newCDPSession(page)
    await devtools.send('Emulation.setTimezoneOverride', { timezoneId })
    await page.reload()
    const shown = postOf(page, 'Fireworks').locator('time')
    t.equal(await shown.getAttribute('datetime'), createdAt)
    t.equal(await shown.innerText(), date)
    t.equal((await shown.getAttribute('title'))?.replace(/\s/g, ' '), `${date}, ${time}`)
    await devtools.detach()
  }
  // A request that is still being answered would fail with the page.
  await page.unrouteAll({ behavior: 'wait' })
})
