import { isIP } from 'node:net'

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/
/** @param host - an address, with or without brackets, or a name */
export const isLoopback = (host: string): boolean => loopback.test(host.replace(/^\[|\]$/g, ''))

const anyAddress = /^(0\.0\.0\.0|::)$/

const inUrl = (host: string) => (isIP(host) === 6 ? `[${host}]` : host)

/** Where a browser on this machine reaches a server that listens on this host and port. */
export const browserUrl = (host: string, port: number): string =>
  `http://${anyAddress.test(host) ? '127.0.0.1' : inUrl(host)}:${port}`

export function defaultOrigins(host: string, port: number): string[] {
  const own = `http://${inUrl(host)}:${port}`
  const local = [`http://127.0.0.1:${port}`, `http://localhost:${port}`, `http://[::1]:${port}`]
  const names = loopback.test(host) || anyAddress.test(host) ? [own, ...local] : [own]
  // A URL cannot contain an IPv6 address with a zone (fe80::1%eth0), so no browser can use one.
  return [...new Set(names.filter((name) => URL.canParse(name)).map((name) => new URL(name).origin))]
}

const isPublic = (origin: string) => !isLoopback(new URL(origin).hostname)
const isPlainRemote = (origin: string) => origin.startsWith('http:') && isPublic(origin)

/** @returns what is wrong with `COOKIE_SECURE` for these origins, in production */
export function cookieFaults(secure: boolean, origins: readonly string[], allowInsecure: boolean): string[] {
  if (origins.length === 0) return []
  if (secure && origins.every(isPlainRemote)) {
    return [
      'COOKIE_SECURE is true and PUBLIC_ORIGIN has no https origin, so browsers would drop every cookie: add one, or set COOKIE_SECURE=false',
    ]
  }
  if (!secure && origins.every((origin) => origin.startsWith('https:'))) {
    return [
      'COOKIE_SECURE is false and every PUBLIC_ORIGIN is https, so cookies would lose protection: set COOKIE_SECURE=true',
    ]
  }
  if (!secure && !allowInsecure && origins.some(isPublic)) {
    return [
      'COOKIE_SECURE is false and PUBLIC_ORIGIN is not on this machine, so sessions could be read on the network: use https, or set ALLOW_INSECURE_COOKIES=true',
    ]
  }
  return []
}
