import t from 'tap'
import { jsonSchema, reportSchema } from '../../../bot/report/schema.ts'
import { checkText, figuresText, judgementText } from '../../../bot/report/text.ts'
import { sampleFigures, sampleReport } from './sample.ts'

t.test('a report matches its own schema, which is printed as JSON Schema', async (t) => {
  const report = sampleReport({}, ['like p99<250ms'])
  t.strictSame(reportSchema.parse(JSON.parse(JSON.stringify(report))), report)
  t.match(jsonSchema(), { type: 'object', properties: { format: { const: 'rookery-bot-report/1' } } })
})

t.test('the first exit code that applies decides, and all that apply are in the report', async (t) => {
  const { check, run, total } = sampleReport()
  t.strictSame(sampleReport().exit, { code: 0, all: [] })
  const unexpected = [{ action: 'like', cause: '500 internal', count: 2 }]
  t.match(sampleReport({ unexpected }).exit, { code: 3, all: [{ reason: 'like: 500 internal, 2 times.' }] })
  const invalid = { ...sampleFigures(), invalid: ['The bot was late.'] }
  t.strictSame(
    sampleReport({ unexpected, figures: invalid }).exit.all.map(({ code }) => code),
    [5, 3],
  )
  t.equal(sampleReport({ figures: invalid, isMeasurement: false }).exit.code, 0, 'a run bounded by counts')
  t.equal(sampleReport({ figures: invalid, isMeasurement: false }, ['rate>1']).exit.code, 5, 'unless it has --expect')
  const worst = sampleReport({
    unexpected,
    figures: invalid,
    run: { ...run, interrupted: 'SIGTERM' },
    check: { ...check, verdict: 'disagrees' },
  })
  t.match(worst.exit, { code: 143, all: [{ code: 143 }, { code: 1 }, { code: 5 }, { code: 3 }] })
  t.equal(sampleReport({ check: { ...check, verdict: 'nothing can be said' } }).exit.code, 4)
  t.equal(total.count, 1_200)
})

t.test('expectations are judged by the figures; what cannot be judged is not met', async (t) => {
  const report = sampleReport({}, ['like p99<250ms', 'p50<1ms', 'rate>=20', 'errors<1%', 'fly p50<1s', 'count>10000'])
  t.strictSame(
    report.expectations.map(({ actual, isMet }) => [actual, isMet]),
    [
      ['9.50 ms', true],
      ['7.00 ms', false],
      ['20.0/s', true],
      ['0.00%', true],
      ['no such action in this run', false],
      ['1200', false],
    ],
  )
  t.equal(report.exit.code, 3)
  const few = sampleReport({ figures: sampleFigures({ seconds: 2 }) }, ['p99<1s'])
  t.match(few.expectations, [{ actual: 'only 40 samples', isMet: false }])
  const lines = judgementText(report)
  t.strictSame(lines.slice(0, 2), ['met: like p99<250ms, got 9.50 ms', 'missed: p50<1ms, got 7.00 ms'])
  t.equal(lines.at(-1), 'exit code 3')
})

t.test('the text has a row for each action, fits 80 columns, and names model, silences and costs', async (t) => {
  const figures = {
    ...sampleFigures({ actions: ['change reaction', 'read post'] }),
    silences: [{ from: 3, seconds: 5 }],
  }
  const errors = [{ action: 'read post', cause: '503 overloaded', count: 12 }]
  const lines = figuresText(sampleReport({ figures: { ...figures, errors } }))
  t.match(lines, [
    /^action +count +\/s +errors +p50 ms +p90 ms +p99 ms +max ms$/,
    /^change reaction +600 +10\.0 +0 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$/,
    /^read post +600/,
    /^all +1,200/,
    '',
    /^closed model, measured for 60\.0 s: /,
    /^service time, from sending to answer: p50 /,
    'errors: read post, 503 overloaded, 12 times',
    'The server was silent for 5.0 s from second 3.0.',
    /^the bot itself: 20\.0% of a core \(10000 µs a request\), waiting for a core 1\.00% of the time, event loop delayed by 0\.30 ms \(p99\), steal at most 1\.00%$/,
  ])
  for (const line of lines.slice(0, 4)) t.ok(line.length <= 80, line)
  const few = figuresText(sampleReport({ figures: sampleFigures({ seconds: 2 }) }))
  t.match(few[1], /^like +40 .* - +[\d.]+$/, 'no p99 under 100 samples')
})

t.test('notes and at most 20 findings are listed', async (t) => {
  const { check, run } = sampleReport()
  const finding = {
    ...{ rule: 'R', object: 'x', expected: 'y', seen: 'z', requestIds: [], times: { sent: 0, answered: 1 } },
  }
  const findings = Array.from({ length: 25 }, (_, i) => ({ ...finding, text: `wrong ${i}` }))
  const notes = ['2 robots gave up: timeout.']
  const report = sampleReport({
    check: { ...check, notes, findings },
    run: { ...run, interrupted: 'SIGINT' },
  })
  const lines = checkText(report)
  t.match(lines, ['2 robots gave up: timeout.', /^Interrupted/, 'wrong 0'])
  t.equal(lines.length, 2 + 21)
  t.equal(lines.at(-1), 'and 5 more')
})
