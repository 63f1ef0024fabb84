import { join } from 'node:path'
import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { signUp, testServer } from '../helper.ts'
import { leavePosts, openPage, postOf, signUpOn, untilTrue, write } from './open-page.ts'

const scene = [
  ['ines', 'Inês Duarte', 'The swifts are back over the market hall. Eleven this morning, all shouting.'],
  ['tomasz', 'Tomasz', 'Which is better on a cold day: soup first and then the walk, or the walk first?'],
  ['noa', 'נועה', 'בוקר טוב! הירקן ברחוב שלנו מוכר שוב תאנים.'],
  [
    'amara',
    'Amara',
    'Found a note in a library book: “Page 212 is worth it.” It was.\n\nI left one of my own on page 40.',
  ],
  ['jun', 'Jun', 'The night train was forty minutes late, and the stars were out the whole time.'],
] as const

/**
 * What the documents show. To make the picture again: SCREENSHOTS=docs npm run test:file -- test/page/screenshot.slow.test.ts;
 * `page-360-dark.png` and the others are only to be looked at.
 */
t.test('the page with posts, reactions and a pulse, in both themes and at two widths', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'robin')
  const authors = await Promise.all(scene.map(([username]) => signUp(url, username)))
  for (const [n, [, displayName, text]] of scene.entries()) {
    const client = authors[n]?.client
    await client?.patch('v1/account', { json: { displayName } })
    const post = await client?.post('v1/posts', { json: { text } }).json<{ id: string }>()
    for (const { client } of authors.slice(n % 3))
      await client.put(`v1/posts/${post?.id}/reaction`, { json: { value: 'like' } })
    await authors[0]?.client.put(`v1/posts/${post?.id}/reaction`, { json: { value: n % 2 ? 'dislike' : 'like' } })
    if (n === 1) await client?.post('v1/posts', { json: { text: 'Soup.', replyTo: post?.id } })
  }
  await write(page, 'Hello from the rookery.')
  await postOf(page, 'night train').getByRole('button', { name: /^Like/ }).click()
  await postOf(page, 'night train').getByRole('button', { name: /^Like/, pressed: true }).waitFor()
  await leavePosts(page)
  await untilTrue(page, `/[1-9]/.test(document.querySelector('[data-series="reactions"] .most').textContent)`)
  for (const colorScheme of ['dark', 'light'] as const) {
    for (const width of [360, 1280]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width, height: 860 })
      await page.evaluate('scrollTo(0, 0)')
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${width} px, ${colorScheme}`)
      const name = width === 1280 && colorScheme === 'light' ? 'page.png' : `page-${width}-${colorScheme}.png`
      const { SCREENSHOTS } = process.env
      if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, name) })
    }
  }
})
