import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import got from 'got'
import type { Test } from 'tap'

type Change = (path: string, body: string) => string

/** A listener that passes requests on to the server at `url`, and may change the path and the bodies of answers to GET. */
export function forwardTo(
  url: string,
  {
    pathOf = (path) => path,
    change = (_path, body) => body,
  }: { pathOf?: (path: string) => string; change?: Change } = {},
): RequestListener {
  return async (request: IncomingMessage, response: ServerResponse) => {
    const { url: requested = '', method = 'GET', headers } = request
    const path = pathOf(requested)
    const answer = await got(url + path, {
      // Node.js lets through only methods that got knows, too.
      method: method as 'GET',
      ...{ headers: { ...headers, host: undefined }, throwHttpErrors: false, decompress: false, retry: { limit: 0 } },
      ...(method === 'GET' ? {} : { body: await text(request) }),
    })
    const { 'set-cookie': cookies = [], 'content-type': type = '' } = answer.headers
    response.writeHead(answer.statusCode, { 'set-cookie': cookies, 'content-type': type })
    response.end(method === 'GET' ? change(path, answer.body) : answer.body)
  }
}

/** Starts a server on a free port of loopback, which ends with the test. Resolves to the port. */
export async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // A listening TCP server always has an AddressInfo.
  return (server.address() as AddressInfo).port
}
