import { figuresOf, type Measured, median } from './results.ts'
import { type Side, sideNames, sides } from './sides.ts'

/** The scenarios of the chart are those with so many connections. */
const chartConnections = 16

const colors: Record<Side, string> = {
  flask: '#4e79a7',
  express: '#76b7b2',
  pocketbase: '#b07aa1',
  bare: '#9c9c9c',
  constant: '#d0d0d0',
  bcrypt: '#d0d0d0',
  'one-transaction': '#bab0ac',
  rookery: '#d1495b',
}

const width = 860
const labelWidth = 230
const barHeight = 14
const groupGap = 16
const top = 64
const valueWidth = 110

const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

type Bar = { side: Side; perSecond: number; share: number }

/** The bars of a scenario; each server's speed in multiples of Rookery's. */
function barsOf(measured: Measured): Bar[] {
  const speed = (side: Side) => median(figuresOf(measured, side, 'perSecond'))
  return sideNames
    .map((side) => ({ side, perSecond: speed(side), share: speed(side) / speed('rookery') }))
    .filter(({ share }) => Number.isFinite(share))
}

/**
 * Bars of every server's requests per second at 16 connections, by scenario. Rookery's bars are equally long, so that a
 * shorter one is a slower server.
 * @returns an SVG document
 */
export function chart(results: readonly Measured[]): string {
  const groups = results
    .filter(({ load }) => 'connections' in load && load.connections === chartConnections)
    .map((measured) => ({ title: measured.scenario.title, bars: barsOf(measured) }))
    .filter(({ bars }) => bars.length > 1)
  const shareMax = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ share }) => share)))
  const unit = (width - labelWidth - valueWidth) / shareMax

  let y = top
  const body = groups.flatMap(({ title, bars }) => {
    const label = `<text x="${labelWidth - 10}" y="${y + 11}" text-anchor="end">${escapeXml(title)}</text>`
    const drawn = bars.map(({ side, perSecond, share }, n) => {
      const barY = y + n * barHeight
      const length = Math.max(1, share * unit).toFixed(1)
      const text = `${Math.round(perSecond).toLocaleString('en')}/s`
      return `<rect x="${labelWidth}" y="${barY}" width="${length}" height="${barHeight - 2}" fill="${colors[side]}"><title>${escapeXml(sides[side].title)}: ${text}</title></rect><text x="${(labelWidth + Number(length) + 6).toFixed(1)}" y="${barY + 10}" class="value">${text}</text>`
    })
    y += bars.length * barHeight + groupGap
    return [label, ...drawn]
  })
  const shown = sideNames.filter((side) => groups.some(({ bars }) => bars.some((bar) => bar.side === side)))
  const legend = shown.map((side, n) => {
    const x = 10 + n * 120
    return `<rect x="${x}" y="36" width="10" height="10" fill="${colors[side]}"/><text x="${x + 15}" y="45">${escapeXml(sides[side].title)}</text>`
  })
  const title = `Requests per second with ${chartConnections} connections, in multiples of Rookery’s`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" role="img" aria-label="${title}">`,
    '<style>text{font:12px sans-serif;fill:#222}.value{font-size:10px;fill:#555}.title{font-size:14px;font-weight:bold}</style>',
    `<rect width="${width}" height="${y}" fill="#fff"/>`,
    `<text x="10" y="22" class="title">${title}</text>`,
    ...legend,
    ...body,
    '</svg>',
    '',
  ].join('\n')
}
