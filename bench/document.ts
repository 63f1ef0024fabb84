import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chart } from './chart.ts'
import type { Measured } from './results.ts'

const docs = join(import.meta.dirname, '..', 'docs')
const markers = ['<!-- npm run bench -- --write: begin -->', '<!-- npm run bench -- --write: end -->'] as const

/**
 * Replaces what is between the markers.
 * @throws Error if the text has not both, once, in their order
 */
export function replaceBetween(text: string, lines: readonly string[]): string {
  const [before, middle, ...more] = text.split(markers[0])
  const [, after, ...others] = middle?.split(markers[1]) ?? []
  if (before === undefined || after === undefined || more.length > 0 || others.length > 0)
    throw new Error(`docs/performance.md must have ${markers.join(' and ')} once.`)
  return [before, markers[0], '\n\n', lines.join('\n'), '\n\n', markers[1], after].join('')
}

/** Writes the results into docs/performance.md, and their chart beside it. */
export async function writeDocument(lines: readonly string[], measured: readonly Measured[]): Promise<void> {
  const path = join(docs, 'performance.md')
  const text = await readFile(path, 'utf8')
  const image = '![Requests per second with 16 connections, by scenario and server](performance.svg)'
  const written = replaceBetween(text, [...lines, '', image])
  await writeFile(join(docs, 'performance.svg'), chart(measured))
  await writeFile(path, written)
}
