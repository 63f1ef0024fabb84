import { Failure, fetchFrom } from './api.js'
import { el } from './dom.js'

/** Of a large account on a slow connection. */
const timeoutMs = 600_000

/**
 * Saves the account's data as a file.
 * @returns {Promise<true>}
 * @throws {Failure} also when the answer ends early
 */
export async function saveExport() {
  const response = await fetchFrom('GET', '/v1/account/export', { timeoutMs })
  const text = await response.text().catch(() => '')
  if (!text.trimEnd().endsWith('{"end":true}'))
    throw new Failure(0, { detail: 'The export was cut off. Try again later.' })
  const url = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }))
  el('a', { href: url, download: 'rookery-export.ndjson' }).click()
  // After the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
  return true
}
