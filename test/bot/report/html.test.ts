import t from 'tap'
import { htmlReport } from '../../../bot/report/html/page.ts'
import { sampleFigures, sampleReport } from './sample.ts'

t.test(
  'the page needs no script and no network, and shows verdicts, charts, options, versions and machine',
  async (t) => {
    const html = htmlReport(sampleReport({}, ['like p99<250ms']))
    t.notMatch(html, /<script|<link|<img|src=|href=|url\(|@import/)
    t.match(html, /default-src 'none'/)
    for (const text of [
      'Data: agrees',
      'Figures: valid',
      'Expectations: met',
      'seed 7',
      '--robots 10',
      process.version,
    ])
      t.ok(html.includes(text), text)
    for (const chart of ['Requests a second', 'Latency', 'Errors a second', 'Latency by action'])
      t.ok(html.includes(`aria-label="${chart}"`), chart)
  },
)

t.test('what a server answered is text on the page, never markup', async (t) => {
  const { check } = sampleReport()
  const evil = '<script>alert(1)</script>"onload="x'
  const finding = {
    rule: 'R',
    object: evil,
    expected: evil,
    seen: evil,
    requestIds: [evil],
    times: { sent: 0, answered: 1 },
    text: evil,
  }
  const html = htmlReport(
    sampleReport({
      ...{ check: { ...check, verdict: 'disagrees', summary: evil, findings: [finding] }, url: evil },
      unexpected: [{ action: evil, cause: evil, count: 1 }],
    }),
  )
  t.notMatch(html, /<script|"onload="/)
})

t.test('a run without a single answer has a page too', async (t) => {
  const figures = sampleFigures({ seconds: 3, perSecond: 0 })
  t.match(htmlReport(sampleReport({ figures })), /<h2>The run/)
})
