import { hostname } from 'node:os'
import { Writable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type DestinationStream, type LoggerOptions, pino } from 'pino'
import pretty, { type PrettyOptions } from 'pino-pretty'
import packageJson from '../../package.json' with { type: 'json' }
import { logOutput } from './log-output.ts'

/** Members whose values are redacted, at every depth that the code logs. */
const redactedNames = [
  'cookie',
  'set-cookie',
  'authorization',
  'password',
  'currentPassword',
  'newPassword',
  'token',
  'secret',
]

/** Escapes what a client sent: it could contain terminal control sequences, or forge a line (log injection, CWE-117). */
const printable = (text: string) =>
  text.replace(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()))

const readableLines = (options: PrettyOptions) =>
  pretty({
    ignore:
      'pid,hostname,version,reqId,method,path,status,ms,account,code,trace_id,span_id,log,event,outcome,ip,nameHash,detail,suppressed,file',
    translateTime: 'HH:MM:ss',
    ...options,
  })

/** @param destination - default: standard output, where lines are lost rather than the process: see log-output.ts */
export function createLogger(
  { level, readable }: { level: string; readable: boolean },
  destination?: DestinationStream,
) {
  const options: LoggerOptions = {
    level,
    base: { pid: process.pid, hostname: hostname(), version: packageJson.version },
    redact: {
      paths: redactedNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
      censor: '[redacted]',
    },
    // Neither headers nor the query string, which may contain private data. Of an error only these members: the driver's
    // errors contain documents and the state of the cluster.
    serializers: {
      err: ({ name, message, code, stack }: Error & { code?: unknown }) => ({ type: name, message, code, stack }),
      req: ({ method, url }: FastifyRequest) => ({ method, path: pathOf(url) }),
      res: () => undefined,
    },
  }
  if (destination) return pino(options, readable ? readableLines({ destination, colorize: false }) : destination)
  const output = logOutput(process.stdout)
  const lines = new Writable({
    decodeStrings: false,
    write(line, _encoding, done) {
      output.write(line)
      done()
    },
  })
  const log = pino(options, readable ? readableLines({ destination: lines }) : output)
  output.onLost((lost) => log.warn({ lines: lost }, 'log lines were lost: standard output did not take them'))
  return log
}

const pathOf = (url: string) => printable(url.split('?', 1)[0] ?? '').slice(0, 200)

/** Probes come every second from each balancer and orchestrator, the pulse from each open page, which has 30 files. */
export const isFrequent = (path: string) =>
  path.startsWith('/health/') || path.startsWith('/page/') || path === '/v1/pulse'

const quietLevels = new Set(['warn', 'error', 'fatal', 'silent'])

/** Logs a request once it is answered or the client has disconnected, which Fastify's onResponse hook would miss. */
export function logWhenClosed(request: FastifyRequest, reply: FastifyReply): void {
  if (quietLevels.has(request.log.level)) return
  reply.raw.once('close', () => {
    const { method } = request
    const path = pathOf(request.url)
    const ms = Math.round(reply.elapsedTime * 10) / 10
    const account = request.viewer?.account
    // 499 as in nginx: the client closed the connection before the response was sent.
    const status = reply.raw.writableFinished ? reply.statusCode : 499
    const line = `${method.padEnd(6)} ${path} ${status} ${ms} ms${account === undefined ? '' : ` ${account}`}`
    const level = isFrequent(path) && status < 400 ? 'debug' : 'info'
    request.log[level]({ method, path, status, ms, account }, line)
  })
}

export function logRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => logWhenClosed(request, reply))
}
