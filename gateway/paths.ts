import type { ServiceName } from '../src/services.ts'

/** The paths of the service posts; all others belong to accounts. The same expression stands in services.conf.template. */
export const postsPaths =
  /^\/v1\/(posts|timeline|stream|pulse|analytics|account\/reactions|accounts\/[^/]+\/(follow|followers|following|posts))(\/|$)/

/** The service that serves a URL's path. */
export function serviceOf(url: string): ServiceName {
  const [path = '/'] = url.split('?', 1)
  return postsPaths.test(decode(path)) ? 'posts' : 'accounts'
}

/** nginx also decodes a path before it compares it. */
function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
