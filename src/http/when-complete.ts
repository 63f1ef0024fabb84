import type { IncomingMessage } from 'node:http'

export const hasNoBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0

/** Calls `act` when all of a request's body has been received, whether or not it is read. At once if there is none. */
export function whenComplete(request: IncomingMessage, act: () => void): void {
  if (request.complete || hasNoBody(request)) {
    act()
    return
  }
  const push = request.push.bind(request)
  // 'end' comes only when the body has been read, and a session that the database must confirm is awaited before.
  request.push = (chunk, encoding) => {
    if (chunk === null) act()
    return push(chunk, encoding)
  }
}
