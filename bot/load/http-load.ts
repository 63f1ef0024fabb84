import { Pool } from 'undici'
import type { Measurements } from './measurements.ts'

/** A GET request whose answer, a 200, must contain `marker`. */
export type Target = { path: string; headers: Record<string, string>; marker: string }

export type HttpLoad = {
  /** Sends a request and measures it from its intended start. Resolves to a finding, or null. */
  send: (action: string, target: Target, intended: number) => Promise<string | null>
  close: () => Promise<void>
}

/** Enough for any open model; of more, the pool searches all for an idle one at each request. */
const maxConnections = 256
const timeoutMs = 25_000

/** Sends requests with undici's dispatch, which costs a fifth of got's CPU: no jar, no retry, no parsing. */
export function openHttpLoad(
  base: URL,
  ca: string | undefined,
  measurements: Pick<Measurements, 'begin' | 'end'>,
): HttpLoad {
  const pool = new Pool(base.origin, {
    ...{ connections: maxConnections, headersTimeout: timeoutMs, bodyTimeout: timeoutMs },
    ...(ca && { connect: { ca } }),
  })
  const prefix = base.pathname.replace(/\/$/, '')
  return {
    send: (action, { path, headers, marker }, intended) =>
      new Promise((resolve) => {
        const begun = { action, intended, sent: performance.now(), attempt: 1 }
        const chunks: Buffer[] = []
        let status: number | null = null
        const end = (status: number | null, cause: string, finding: string | null) => {
          measurements.end({ ...begun, answered: performance.now(), status, cause })
          resolve(finding)
        }
        measurements.begin(begun)
        pool.dispatch(
          { method: 'GET', path: prefix + path, headers },
          {
            onRequestStart() {},
            onResponseStart(_controller, statusCode) {
              status = statusCode
            },
            onResponseData(_controller, chunk) {
              chunks.push(chunk)
            },
            onResponseEnd() {
              const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
              const isLost = status === 200 && !body?.includes(marker)
              end(status, String(status), isLost ? `GET ${path}: the answer does not contain ${marker}` : null)
            },
            onResponseError(_controller, error) {
              end(null, causeOf(error), null)
            },
          },
        )
      }),
    close: () => pool.destroy(),
  }
}

function causeOf(error: Error): string {
  if (error.name.endsWith('TimeoutError')) return 'timeout'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
