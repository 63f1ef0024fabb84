import { z } from 'zod'

const count = z.int().nonnegative()
const milliseconds = z.number().nonnegative().nullable()

const latency = z
  .object({ p50: milliseconds, p90: milliseconds, p99: milliseconds, max: milliseconds })
  .describe('Milliseconds; null without samples, p99 also with fewer than 100.')

const figures = z.object({
  count: count.describe('Requests that succeeded.'),
  perSecond: z.number().nonnegative(),
  errors: count.describe('Attempts that got an error or no answer.'),
  refused: count.describe('Requests that had to be refused, and were.'),
  gone: count.default(0).describe('Requests for what may have been deleted by then, and was.'),
  retries: count,
  latency: latency.describe('From the intended start (open model) or the decision to send (closed model).'),
  service: latency.describe('From the sending of the attempt that was answered.'),
  percentiles: z.array(z.tuple([z.number(), z.number()])).describe('Pairs of a percentile and its latency.'),
  windows: z
    .array(z.object({ count, p50: milliseconds, p99: milliseconds }))
    .describe('Five seconds each, for the comparison of two reports.'),
})

const second = z.object({
  second: count,
  requests: count.describe('Answers of any status.'),
  errors: count,
  p50: milliseconds,
  p99: milliseconds,
  max: milliseconds,
  arrivals: count,
  late: count.describe('Arrivals that the bot began more than 10 ms late.'),
  inFlight: z.int(),
  cpu: z.number().nonnegative().describe("The bot's CPU time, as a fraction of one core."),
  loopDelayMs: z.number().nonnegative().describe("The longest delay of the bot's event loop."),
  waiting: z
    .number()
    .nullable()
    .default(null)
    .describe(
      "The fraction of the time in which the bot's main thread waited for a core; null where Linux does not say.",
    ),
  steal: z.number().nullable().describe('The fraction of CPU time that the hypervisor gave to other machines.'),
})

const causes = z.array(z.object({ action: z.string(), cause: z.string(), count }))

const finding = z.object({
  rule: z.string().describe('R, C, S, I, N or E; docs/bot.md describes them.'),
  object: z.string(),
  expected: z.string(),
  seen: z.string(),
  requestIds: z.array(z.string()),
  times: z.object({ sent: z.number(), answered: z.number() }),
  text: z.string().describe('The finding as a sentence.'),
})

const exitReason = z.object({ code: count, reason: z.string() })

/** The report of a run as JSON. Fields may be added to a format; removing or changing one gives it a new number. */
export const reportSchema = z
  .object({
    format: z.literal('rookery-bot-report/1'),
    run: z.object({
      startedAt: z.iso.datetime(),
      endedAt: z.iso.datetime(),
      model: z.enum(['closed', 'open']),
      interrupted: z.enum(['SIGINT', 'SIGTERM', 'SIGHUP']).nullable(),
    }),
    url: z.string(),
    seed: count,
    options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
    versions: z.object({ bot: z.string(), node: z.string(), server: z.string().nullable() }),
    machine: z.object({ system: z.string(), cpu: z.string(), cores: count, memoryBytes: count }),
    seconds: z.number().nonnegative().describe('The measured time.'),
    total: figures,
    actions: z.array(figures.extend({ action: z.string() })),
    errors: causes.describe('Attempts without success, by action and cause.'),
    unexpected: causes.describe('Answers that the API does not document there, and calls that were given up.'),
    series: z.array(second),
    silences: z.array(z.object({ from: z.number(), seconds: z.number() })).describe('Times without any answer.'),
    limits: z
      .array(z.string())
      .default([])
      .describe('Limits of the server that the planned load was to hit, as sentences.'),
    faults: z
      .record(z.string(), count)
      .default({})
      .describe('What the bot did wrong on purpose (--faults), by kind; none of it is measured.'),
    load: z.object({
      arrivals: count,
      late: count,
      loopDelayP99Ms: z.number().nonnegative(),
      isJudged: z
        .boolean()
        .describe('Whether invalid figures decide the exit code; docs/bot.md says when they do not.'),
      invalid: z.array(z.string()).describe('Why the figures are not those of the server; empty when they are.'),
    }),
    check: z.object({
      verdict: z.enum(['agrees', 'disagrees', 'nothing can be said']),
      summary: z.string(),
      notes: z.array(z.string()),
      acknowledged: z.record(z.string(), count),
      checked: count.describe('Comparisons.'),
      foreign: count.describe('Posts and accounts that are not of the run.'),
      indeterminate: z
        .object({ pinned: count, open: count })
        .describe('Writes without an answer: those that a read showed to have happened, and the others.'),
      findings: z.array(finding),
    }),
    expectations: z.array(z.object({ expectation: z.string(), actual: z.string(), isMet: z.boolean() })),
    exit: z.object({ code: count, all: z.array(exitReason).describe('Every reason that applies, the first decides.') }),
  })
  .meta({ title: 'The report of a run of the Rookery bot' })

export type Report = z.infer<typeof reportSchema>
export type ReportedFigures = z.infer<typeof figures>
export type Finding = z.infer<typeof finding>

/** The JSON Schema of the report (draft 2020-12). */
export const jsonSchema = (): object => z.toJSONSchema(reportSchema)
