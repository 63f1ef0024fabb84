/** Memory at a time, in seconds since the start and bytes. */
export type Sample = { seconds: number; rss: number; heap: number }

const [width, height, left, bottom, top] = [860, 320, 60, 40, 48]

/** @returns an SVG document: resident memory and heap over time */
export function plot(samples: readonly Sample[], title: string): string {
  const lastSeconds = Math.max(1, ...samples.map(({ seconds }) => seconds))
  const maxMb = Math.ceil(Math.max(1, ...samples.map(({ rss }) => rss / 1e6)) / 50) * 50
  const x = (seconds: number) => left + (seconds / lastSeconds) * (width - left - 20)
  const y = (mb: number) => height - bottom - (mb / maxMb) * (height - bottom - top)
  const line = (of: (sample: Sample) => number, color: string) => {
    const points = samples.map((sample) => `${x(sample.seconds).toFixed(1)},${y(of(sample) / 1e6).toFixed(1)}`)
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="1.5"/>`
  }
  const grid = Array.from({ length: maxMb / 50 + 1 }, (_, n) => n * 50).map(
    (mb) =>
      `<line x1="${left}" x2="${width - 20}" y1="${y(mb)}" y2="${y(mb)}" stroke="#8885"/><text x="${left - 8}" y="${y(mb) + 4}" text-anchor="end">${mb} MB</text>`,
  )
  const minutes = Math.round(lastSeconds / 60)
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (part) =>
      `<text x="${x(part * lastSeconds)}" y="${height - 16}" text-anchor="middle">${Math.round(part * minutes)} min</text>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${left}" y="20" font-size="14">${title}</text>`,
    `<text x="${left}" y="38" fill="#d1495b">resident</text><text x="${left + 70}" y="38" fill="#4e79a7">heap in use</text>`,
    ...grid,
    ...ticks,
    line(({ rss }) => rss, '#d1495b'),
    line(({ heap }) => heap, '#4e79a7'),
    '</svg>',
  ].join('\n')
}
