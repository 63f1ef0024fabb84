import { type Expectation, keeps } from '../options/expectation.ts'
import { milliseconds, percent, perSecond } from './format.ts'
import type { Report, ReportedFigures } from './schema.ts'

type Measured = Pick<Report, 'total' | 'actions'>

/** Compares the figures of a run with what was expected. An expectation that cannot be judged is not met. */
export function judgeExpectations(expectations: readonly Expectation[], measured: Measured): Report['expectations'] {
  return expectations.map((expectation) => {
    const figures = figuresOf(expectation, measured)
    if (!figures) return { expectation: expectation.text, actual: 'no such action in this run', isMet: false }
    const value = figureOf(expectation, figures)
    return {
      expectation: expectation.text,
      actual: value === null ? `only ${figures.count} samples` : describe(expectation, value),
      isMet: value !== null && keeps(expectation, value),
    }
  })
}

function figuresOf({ action }: Expectation, { total, actions }: Measured): ReportedFigures | undefined {
  return action === null ? total : actions.find((figures) => figures.action === action)
}

function figureOf({ metric, isFraction }: Expectation, figures: ReportedFigures): number | null {
  if (metric === 'rate') return figures.perSecond
  if (metric === 'count') return figures.count
  if (metric !== 'errors') return figures.latency[metric]
  return isFraction ? figures.errors / Math.max(1, figures.errors + figures.count) : figures.errors
}

function describe({ metric, isFraction }: Expectation, value: number): string {
  if (metric === 'rate') return perSecond(value)
  if (metric === 'count') return String(value)
  if (metric === 'errors') return isFraction ? percent(value) : String(value)
  return milliseconds(value)
}
