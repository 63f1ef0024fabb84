import t from 'tap'
import { inChromium } from '../clients/chromium.ts'
import { eventually } from '../eventually.ts'
import { makeClient, signUp, testServer } from '../helper.ts'
import { openPage, postOf, signUpOn, untilTrue, write } from './open-page.ts'

const problem = (detail: string) => ({
  status: 503,
  contentType: 'application/problem+json',
  body: JSON.stringify({ title: 'Server overloaded', status: 503, code: 'overloaded', detail }),
})

t.test('a like is shown before the answer, and rolled back with the words of the problem', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'optimist')
  await write(page, 'Likeable')
  const post = postOf(page, 'Likeable')
  let answer = () => {}
  await page.route('**/reaction', async (route) => {
    await new Promise<void>((resolve) => {
      answer = resolve
    })
    await route.fulfill(problem('Too many writes are queued.'))
  })
  await post.getByRole('button', { name: 'Like 0', exact: true }).click()
  await post.getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  t.equal(await post.getByRole('alert').count(), 0)
  answer()
  await post.getByRole('alert').getByText('Too many writes are queued.').waitFor()
  await post.getByRole('button', { name: 'Like 0', exact: true, pressed: false }).waitFor()
  await page.unroute('**/reaction')
  await post.getByRole('button', { name: 'Dislike 0', exact: true }).click()
  await post.getByRole('button', { name: 'Dislike 1', exact: true, pressed: true }).waitFor()
  t.equal(await post.getByRole('alert').count(), 0)
})

t.test('clicks while a like is under way are sent after it, and the last one counts', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'undecided')
  await write(page, 'Hm')
  const post = postOf(page, 'Hm')
  const sent: string[] = []
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  await page.route('**/reaction', async (route) => {
    sent.push(`${route.request().method()} ${route.request().postData() ?? ''}`)
    if (sent.length === 1) await held
    await route.continue()
  })
  for (const name of ['Like', 'Dislike', 'Like', 'Dislike'])
    await post.getByRole('button', { name: new RegExp(`^${name} `) }).click()
  release()
  await post.getByRole('button', { name: 'Dislike 1', exact: true, pressed: true }).waitFor()
  const id = await post.getAttribute('data-id')
  await eventually(async () => {
    const { counts } = await makeClient(url)
      .get(`v1/posts/${id}`)
      .json<{ counts: { likes: number; dislikes: number } }>()
    return counts.likes === 0 && counts.dislikes === 1
  })
  t.same(sent, ['PUT {"value":"like"}', 'PUT {"value":"dislike"}'])
})

t.test('a post whose answer is lost is created once, however often the button is pressed', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'persistent')
  let failures = 0
  await page.route('**/v1/posts', async (route) => {
    if (route.request().method() !== 'POST' || failures === 2) return route.continue()
    failures += 1
    await route.fetch()
    return route.abort()
  })
  await page.getByLabel('What is new?').fill('Once')
  const button = page.getByRole('button', { name: 'Post', exact: true })
  await button.click()
  await page.getByRole('alert').getByText('The server cannot be reached').waitFor()
  t.equal(await page.getByLabel('What is new?').inputValue(), 'Once', 'the text is kept')
  await button.click()
  await untilTrue(page, '!document.querySelector("form [aria-busy]")')
  await button.click()
  await untilTrue(page, `document.querySelector('textarea').value === ''`)
  const { items } = await makeClient(url).get('v1/posts').json<{ items: { text: string }[] }>()
  t.same(
    items.map(({ text }) => text),
    ['Once'],
  )
  t.equal(await postOf(page, 'Once').count(), 1)
})

t.test('a text that is too long is told at the field', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'talkative')
  const field = page.locator('main .compose .field').first()
  await page.getByLabel('What is new?').fill('👩'.repeat(501))
  await page.getByText('1 characters too many').waitFor()
  await page.getByRole('button', { name: 'Post', exact: true }).click()
  await field.getByRole('alert').waitFor()
  t.match(await field.getByRole('alert').innerText(), /500/)
  t.equal(await page.getByLabel('What is new?').getAttribute('aria-invalid'), 'true')
  await page.getByLabel('What is new?').fill('👩'.repeat(500))
  await page.getByRole('button', { name: 'Post', exact: true }).click()
  await postOf(page, '👩👩').waitFor()
})

t.test('without an answer to the pulse and to lists, the page says so and recovers', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await page.route('**/v1/**', (route) => route.fulfill(problem('The server is shutting down: try again shortly.')))
  await page.goto(`${url}/#/@anyone`)
  await page.getByRole('alert').getByText('The server is shutting down').waitFor()
  await page.locator('#pulse .hint').waitFor()
  await page.unroute('**/v1/**')
  await page.locator('#pulse .hint').waitFor({ state: 'hidden' })
  t.pass()
})

t.test('a stream that is refused is opened again, and the list read again', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  const { page } = await openPage(t, url)
  await page.route('**/v1/stream', (route) => route.fulfill(problem('Too many streams.')))
  await page.reload()
  await page.getByText('Reconnecting…').waitFor()
  await client.post('v1/posts', { json: { text: 'In between' } })
  await page.unroute('**/v1/stream')
  await postOf(page, 'In between').waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
})

t.test('the account, a profile and what was liked come back by themselves after an outage', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await signUpOn(page, 'resilient')
  await write(page, 'Liked')
  await postOf(page, 'Liked').getByRole('button', { name: 'Like 0', exact: true }).click()
  await postOf(page, 'Liked').getByRole('button', { name: 'Like 1', exact: true, pressed: true }).waitFor()
  for (const [view, ready] of [
    ['settings', 'This one'],
    ['settings', 'Account created'],
    ['@resilient', '0 followers'],
    ['@resilient/followers', 'None yet.'],
    ['reactions', new Date().toISOString().slice(0, 10)],
    ['reactions', 'Liked'],
  ] as const) {
    const isOfSession = /v1.session$/
    await page.route('**/v1/**', (route) =>
      isOfSession.test(route.request().url())
        ? route.continue()
        : route.fulfill(problem('The server is being updated.')),
    )
    await page.goto(`${url}/#/${view}`)
    await page.getByText('The server is being updated.').first().waitFor()
    await page.unroute('**/v1/**')
    await page.getByText(ready, { exact: true }).first().waitFor()
    await page.goto(`${url}/#/`)
    await postOf(page, 'Liked').waitFor()
  }
  t.equal(await page.getByText('The server is being updated.').count(), 0)
})

t.test('what will not be there later is not asked for again', inChromium, async (t) => {
  const { url } = await testServer(t)
  const { page } = await openPage(t, url)
  await page.clock.install()
  let reads = 0
  page.on('request', (request) => {
    if (request.url().includes('nobody_here')) reads += 1
  })
  await page.goto(`${url}/#/@nobody_here`)
  await page.getByRole('heading', { name: 'Not found' }).waitFor()
  await page.clock.fastForward(60_000)
  await page.goto(`${url}/#/@nobody_here/followers`)
  await page.getByRole('alert').waitFor()
  await page.clock.fastForward(60_000)
  await page.goto(`${url}/#/`)
  await page.locator('.state[data-state="live"]').waitFor()
  t.equal(reads, 2)
})
