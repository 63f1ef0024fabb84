import type { IncomingMessage } from 'node:http'

/** Calls `act` when all of a request's body has been received, whether or not it is read. At once if there is none. */
export function whenComplete(request: IncomingMessage, act: () => void): void {
  const { 'content-length': length = 0, 'transfer-encoding': coding } = request.headers
  if (request.complete || (coding === undefined && Number(length) === 0)) {
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
