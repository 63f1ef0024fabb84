import { markdownTable } from '../markdown.ts'
import { isAccepted } from './accepted.ts'
import { bounds, type Rate, rateOf } from './limits.ts'
import type { Cost } from './measure.ts'
import type { Operation } from './openapi.ts'
import { isRepeatable, type Variant } from './shapes.ts'

/**
 * @property ratio - how many plain 401s it costs
 * @property draw - how much of it one client can cause in a second, in plain 401s
 * @property drawMs - the same, in milliseconds of CPU time
 */
export type Row = Cost & {
  operation: string
  variant: string
  ratio: number
  limit: string
  draw: number
  drawMs: number
  by: Rate['by']
}

export function rowOf({ name, needsSession }: Operation, variant: Variant, cost: Cost, base: Cost): Row {
  const [sent] = [variant.plain].flat()
  const hasSession =
    /(^|; )session=eyJ[\w-]+\.[\w-]+\.[\w-]+(;|$)/.test(sent?.headers.cookie ?? '') && !isForged(variant)
  const totalUs = cost.serverUs + cost.mongodUs
  const isForeign = sent?.headers.origin !== undefined
  const isOnce = !isRepeatable(variant)
  const asked = { operation: name, status: cost.status, hasSession, needsSession, isForeign, isOnce }
  const { perSecond, limit, by } = rateOf(asked)
  const ratio = totalUs / (base.serverUs + base.mongodUs)
  return {
    ...cost,
    operation: name,
    variant: variant.name,
    ratio,
    limit,
    draw: ratio * perSecond,
    drawMs: (totalUs * perSecond) / 1_000,
    by,
  }
}

const isForged = ({ name }: Variant) => / cookies?\b/.test(name) && !name.endsWith('its own')

export const exceedsBound = (row: Row): boolean => row.draw > bounds[row.by]

export const findingsIn = (rows: readonly Row[]): Row[] => rows.filter((row) => exceedsBound(row) && !isAccepted(row))

/** The plainest and the worst of each operation, or all; the greatest draw first. */
export function table(rows: readonly Row[], base: Cost, { all }: { all: boolean }): string[] {
  const chosen = all
    ? rows
    : [...Map.groupBy(rows, ({ operation }) => operation).values()].flatMap((own) => {
        const worst = own.reduce((one, other) => (other.draw > one.draw ? other : one))
        return own.filter((row) => row === worst || row.variant === 'plain')
      })
  const cells = chosen
    .toSorted((one, other) => other.draw - one.draw)
    .map(({ operation, variant, status, bytes, serverUs, mongodUs, ratio, limit, draw, drawMs }) => [
      `\`${operation}\``,
      variant,
      `${status}`,
      format(bytes),
      format(serverUs),
      format(mongodUs),
      ratio.toFixed(1),
      limit,
      format(draw),
      drawMs.toFixed(1),
    ])
  const header = [
    'operation',
    'request',
    'status',
    'bytes',
    'server µs',
    'mongod µs',
    '× 401',
    'limit',
    '401s/s',
    'ms/s',
  ]
  return [`A plain 401 costs ${format(base.serverUs)} µs.`, '', ...markdownTable(header, cells, 2)]
}

const format = (number: number) => Math.round(number).toLocaleString('en')
