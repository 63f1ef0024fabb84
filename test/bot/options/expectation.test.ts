import t from 'tap'
import { keeps, parseExpectation } from '../../../bot/options/expectation.ts'

t.test('an expectation names an action, a figure, a comparison and a value with its unit', async (t) => {
  t.match(parseExpectation('like p99<250ms'), { action: 'like', metric: 'p99', comparison: '<', limit: 250 })
  t.match(parseExpectation('read-post p50 <= 1.5s'), { action: 'read post', limit: 1_500 })
  t.match(parseExpectation('delete post max>0ms'), { action: 'delete post', metric: 'max', comparison: '>' })
  t.match(parseExpectation('rate>=100'), { action: null, metric: 'rate', limit: 100 })
  t.match(parseExpectation('rate>=100/s'), { limit: 100 })
  t.match(parseExpectation('errors<1%'), { metric: 'errors', limit: 0.01, isFraction: true })
  t.match(parseExpectation('post errors<=3'), { metric: 'errors', limit: 3, isFraction: false })
})

t.test('what is wrong with an expectation is said in a sentence', async (t) => {
  for (const [text, fault] of [
    ['', /must be an expectation such as/],
    ['like', /must be an expectation such as/],
    ['like p99=250ms', /must be an expectation such as/],
    ['like p99<', /must be an expectation such as/],
    ['like p98<250ms', /unknown metric p98; choose p50, p90, p99, max, rate, count, errors\.$/],
    ['p99<250', /"p99<250" needs a time in ms or s\.$/],
    ['rate>5ms', /needs a number of requests a second\.$/],
    ['count>5%', /needs a number\.$/],
    ['errors<1s', /needs a number or a percentage\.$/],
  ] as const)
    t.match(parseExpectation(text), { fault }, text)
})

t.test('each comparison holds or not at its limit', async (t) => {
  const held = ['<', '<=', '>', '>='].map((comparison) => {
    const expectation = parseExpectation(`p50${comparison}5ms`)
    return 'fault' in expectation ? null : [4, 5, 6].map((value) => keeps(expectation, value))
  })
  t.strictSame(held, [
    [true, false, false],
    [true, true, false],
    [false, false, true],
    [false, true, true],
  ])
})
