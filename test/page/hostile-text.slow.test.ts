import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { signUp, testServer } from '../helper.ts'
import { openPage, untilTrue } from './open-page.ts'

const markup = `<img src=x onerror="window.harm=1"><script>window.harm=1</script><a href="javascript:harm=1">x</a>`
const marks = `Z${'\u0301\u0336\u0489'.repeat(160)}`
const overrides = 'a \u202e reversed \u2066 isolated'

t.test('hostile text is shown as text: markup, bidirectional controls, stacked marks', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { client, username } = await signUp(url)
  t.equal((await client.patch('v1/account', { json: { displayName: '<b>bold</b>', bio: markup } })).statusCode, 200)
  const texts = [markup, marks, overrides, 'שלום, world 👩‍👩‍👧‍👦', '{{7*7}} &lt;b&gt;', `${'\n'.repeat(490)}x`]
  const { page, context } = await openPage(t, url)
  for (const text of texts)
    t.equal((await client.post('v1/posts', { json: { text } })).statusCode, 201, text.slice(0, 20))
  // Live first, and then from the list.
  for (const way of ['arriving live', 'read from the list']) {
    await untilTrue(page, `document.querySelectorAll('article').length === ${texts.length}`)
    const shown = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.text')].map((each) => each.textContent)`,
    )
    t.same(shown.map((each) => each.normalize('NFC')).sort(), texts.map((each) => each.normalize('NFC')).sort(), way)
    t.equal(await page.locator('article .text *, article .display *, main img, main script').count(), 0, 'no element')
    t.equal(await page.evaluate('window.harm'), undefined, 'no script has run')
    await page.reload()
  }

  await untilTrue(page, `document.querySelectorAll('article').length === ${texts.length}`)
  const heights = await page.evaluate<number[]>(
    `[...document.querySelectorAll('article')].map((each) => each.getBoundingClientRect().height / innerHeight)`,
  )
  t.ok(Math.max(...heights) < 1, 'no post fills the screen')
  t.equal(
    await page.evaluate(`getComputedStyle(document.querySelector('.text')).overflowY`),
    'hidden',
    'marks do not cover the neighbours',
  )
  const directions = await page.evaluate<string[]>(
    `[...document.querySelectorAll('.text')].filter((each) => each.textContent.startsWith('שלום')).map((each) => getComputedStyle(each).direction)`,
  )
  t.same(directions, ['rtl'])

  await page.goto(`${url}/#/@${username}`)
  await page.getByRole('heading', { name: '<b>bold</b>' }).waitFor()
  t.equal(await page.locator('.profile > .text').innerText(), markup)
  for (const hash of ['#/@%3Cimg%20src=x%20onerror=harm=1%3E', '#/posts/%3Cscript%3E', '#/@%', '#javascript:harm=1']) {
    await page.goto(`${url}/${hash}`)
    await page.getByRole('alert').first().waitFor()
    t.equal(await page.evaluate('window.harm'), undefined, hash)
  }
  t.same(await context.cookies(), [])
})

t.test('the browser refuses to take text for markup or script', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  const attempt = (code: string) =>
    page.evaluate<string>(`(() => { try { ${code}; return 'done' } catch (error) { return error.name } })()`)
  page.removeAllListeners('console')
  t.equal(await attempt(`document.body.innerHTML = '<p>x</p>'`), 'TypeError')
  t.equal(await attempt(`document.createElement('script').src = '/page/page.js'`), 'TypeError')
  t.equal(await attempt(`trustedTypes.createPolicy('any', { createHTML: (text) => text })`), 'TypeError')
})
