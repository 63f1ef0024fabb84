import t from 'tap'
import { ActivityPage } from '../../src/activity/schema.ts'

/** A module of the page, which Node.js can import as long as it needs no document. */
const importFile = (name: string) => import(new URL(`../../src/page/files/${name}`, import.meta.url).href)

t.test('a user agent is shown as a browser and a system', async (t) => {
  const { clientName }: { clientName: (userAgent: string) => string } = await importFile('client-name.js')
  const windows = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)'
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)'
  const linux = 'Mozilla/5.0 (X11; Linux x86_64)'
  const android = 'Mozilla/5.0 (Linux; Android 10; K)'
  const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)'
  const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)'
  const safari = 'AppleWebKit/605.1.15 (KHTML, like Gecko)'
  for (const [userAgent, name] of [
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
    ['Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0', 'Firefox on Android'],
    [`${windows} ${webkit} Chrome/141.0.0.0 Safari/537.36`, 'Chrome on Windows'],
    [`${windows} ${webkit} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0`, 'Edge on Windows'],
    [`${mac} ${webkit} Chrome/141.0.0.0 Safari/537.36 OPR/122.0.0.0`, 'Opera on macOS'],
    [`${mac} ${safari} Version/18.5 Safari/605.1.15`, 'Safari on macOS'],
    [`${iphone} ${safari} Version/18.5 Mobile/15E148 Safari/604.1`, 'Safari on iOS'],
    [`${iphone} ${safari} CriOS/141.0.0.0 Mobile/15E148 Safari/604.1`, 'Chrome on iOS'],
    [`${iphone} ${safari} FxiOS/140.0 Mobile/15E148 Safari/605.1.15`, 'Firefox on iOS'],
    [`${android} ${webkit} Chrome/141.0.0.0 Mobile Safari/537.36`, 'Chrome on Android'],
    [`${android} ${webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`, 'Samsung Internet on Android'],
    [`${linux} ${webkit} HeadlessChrome/141.0.0.0 Safari/537.36`, 'Chrome on Linux'],
    ['Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/141.0.0.0 Safari/537.36', 'Chrome on ChromeOS'],
    ['Mozilla/5.0 (Windows NT 10.0)', 'Unknown browser on Windows'],
    ['Mozilla/5.0', 'Unknown browser'],
    ['curl/8.14.1', 'curl'],
    ['got (https://github.com/sindresorhus/got)', 'got'],
    ['python-httpx/0.28.1', 'python-httpx'],
    ['', 'Unknown client'],
    ['   ', 'Unknown client'],
    [`${'x'.repeat(300)}/1`, `${'x'.repeat(40)}…`],
  ] as const)
    t.equal(clientName(userAgent), name, userAgent)
})

t.test('every kind of activity has words, and one that is new is shown as it is', async (t) => {
  const { activityWords }: { activityWords: (event: string) => string } = await importFile('activity-words.js')
  for (const event of ActivityPage.shape.items.element.shape.event.options) {
    t.not(activityWords(event), event)
    t.match(activityWords(event), /^[A-Z][a-z-]+ [a-z ,:-]+$/, event)
  }
  t.equal(activityWords('moon-landed'), 'moon landed')
  t.equal(activityWords('constructor'), 'constructor')
})
