import { decodeQR } from 'qr/decode.js'

const scale = 4
const quietZone = 4

/** Reads an SVG of squares as a camera would. @returns the text of the QR code */
export function readQrCode(svg: string): string {
  const size = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)?.[1])
  const dark = new Set<string>()
  let x = 0
  let y = 0
  for (const [, move = '', dx, dy] of svg.matchAll(/([Mm])(-?\d+) ?(-?\d+)h1v1/g)) {
    const isAbsolute = move === 'M'
    x = Number(dx) + (isAbsolute ? 0 : x)
    y = Number(dy) + (isAbsolute ? 0 : y)
    dark.add(`${x} ${y}`)
  }
  const width = (size + 2 * quietZone) * scale
  const data = new Uint8Array(width * width * 4).fill(255)
  for (let n = 0; n < width * width; n += 1) {
    const [column, row] = [n % width, Math.floor(n / width)].map((at) => Math.floor(at / scale) - quietZone)
    if (dark.has(`${column} ${row}`)) data.fill(0, n * 4, n * 4 + 3)
  }
  return decodeQR({ width, height: width, data })
}
