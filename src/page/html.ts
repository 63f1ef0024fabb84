import { readdir, readFile } from 'node:fs/promises'

export type PageSettings = { docs: boolean; passwordMinLength: number }

export const folder = new URL('files/', import.meta.url)

/**
 * The HTML with what the page cannot find out from the API, in `data-` attributes, and with the names of all modules: a
 * browser then fetches them together, and not each after the one that imports it.
 */
export async function pageHtml({ docs, passwordMinLength }: PageSettings): Promise<Buffer> {
  const html = await readFile(new URL('index.html', folder), 'utf8')
  const modules = (await readdir(folder)).filter((name) => name.endsWith('.js'))
  const preloads = modules.map((name) => `  <link rel="modulepreload" href="/page/${name}" />\n  `)
  return Buffer.from(
    html
      .replace('data-docs="true"', `data-docs="${docs}"`)
      .replace('data-password-min-length="15"', `data-password-min-length="${passwordMinLength}"`)
      .replace('</head>', `${preloads.join('')}</head>`),
  )
}
