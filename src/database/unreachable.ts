import { MongoServerSelectionError, type ServerDescription } from 'mongodb'
import { StartError } from '../start-error.ts'
import { hostsOf, usesTls } from './uri-variable.ts'

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : error instanceof Error ? codeOf(error.cause) : ''

const isUnknownHost = (code: string) => code === 'ENOTFOUND' || code === 'EAI_AGAIN'
const isOutOfFiles = (code: string) => code === 'EMFILE' || code === 'ENFILE'
/** Codes of Node and OpenSSL for a certificate that is not accepted, such as DEPTH_ZERO_SELF_SIGNED_CERT. */
const isCertificate = (code: string) => /CERT|UNABLE_TO_(GET|VERIFY)/.test(code)

/**
 * Why no server can be used, with what to do about it, from the driver's view of the servers. Waiting may help unless the
 * replica set has another name, a certificate is refused, or this process may open no more files.
 */
export function explainUnreachable(error: unknown, uri: string): StartError {
  const at = `MongoDB at ${hostsOf(uri)}`
  const outOfReach = (sentence: string) => new StartError(sentence, 'out-of-reach')
  const cluster = error instanceof MongoServerSelectionError ? error.reason : undefined
  const servers = [...(cluster?.servers.values() ?? [])]
  const answering = servers.filter(({ type }) => type !== 'Unknown')
  const failures = [error, ...servers.map((server) => server.error)]
  const codes = failures.map(codeOf)
  // The driver drops a server that answers with another name, or with none.
  if (cluster?.setName && servers.length === 0)
    return new StartError(
      `${at} is not a member of the replica set ${cluster.setName}: correct replicaSet in MONGODB_URI.`,
    )
  if (codes.some(isOutOfFiles))
    return new StartError('This process may open no more files or connections: raise its limit (ulimit -n).')
  if (answering.length > 0) return outOfReach(explainNoPrimary(at, servers.length, answering))
  const certificate = codes.find(isCertificate)
  if (certificate)
    return new StartError(
      `${at} shows a certificate that is not accepted (${certificate}): set tlsCAFile in MONGODB_URI to the certificate of its authority, and check that it names the host.`,
    )
  const unknown = servers.find((server) => isUnknownHost(codeOf(server.error)))?.address ?? hostsOf(uri)
  if (codes.some(isUnknownHost)) return outOfReach(explainUnknownHost(unknown, uri))
  if (usesTls(uri) && failures.some(isTlsRefused))
    return outOfReach(`${at} does not answer in TLS: remove tls=true from MONGODB_URI, or let MongoDB use TLS.`)
  if (!usesTls(uri) && failures.some(isClosedAtOnce))
    return outOfReach(`${at} closes each connection at once: if it requires TLS, set tls=true in MONGODB_URI.`)
  return outOfReach(`${at} does not respond: check MONGODB_URI, and that MongoDB is running.`)
}

function explainNoPrimary(at: string, members: number, answering: readonly ServerDescription[]): string {
  if (answering.every(({ type }) => type === 'RSGhost'))
    return `${at} belongs to no replica set yet: initiate it with rs.initiate(); one node is enough.`
  return `${at} has no primary: ${answering.length} of ${members} members of its replica set answer, and a majority is needed.`
}

function explainUnknownHost(address: string, uri: string): string {
  const source = hostsOf(uri).split(',').includes(address)
    ? 'check MONGODB_URI'
    : 'its replica set names it as a member: check its configuration'
  return `The MongoDB host ${address} has no address: ${source}, and this machine’s DNS.`
}

const isTlsRefused = (error: unknown) =>
  error instanceof Error && (/before secure TLS/.test(error.message) || codeOf(error).startsWith('ERR_SSL'))

const isClosedAtOnce = (error: unknown) => error instanceof Error && /^connection .* closed$/.test(error.message)
