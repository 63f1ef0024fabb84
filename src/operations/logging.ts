import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type DestinationStream, type LoggerOptions, pino } from 'pino'
import pretty from 'pino-pretty'

/** Where these stand, at whatever depth we log, their values do not get out. */
const secrets = [
  'cookie',
  'set-cookie',
  'authorization',
  'password',
  'currentPassword',
  'newPassword',
  'token',
  'secret',
]

/** Keeps what a stranger sent from steering a terminal or faking a line. */
const printable = (text: string) =>
  text.replace(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()))

/**
 * The log: a readable line for each request in development, JSON lines in production (pino).
 * @param destination - where it goes; standard output if not given.
 */
export function makeLogger({ level, readable }: { level: string; readable: boolean }, destination?: DestinationStream) {
  const options: LoggerOptions = {
    level,
    redact: {
      paths: secrets.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
      censor: '[redacted]',
    },
    // Never headers, never the query: a URL could carry what its sender took for private.
    // Of an error only what finds it: the driver hangs documents, and the state of the whole cluster, on its own.
    serializers: {
      err: ({ name, message, code, stack }: Error & { code?: unknown }) => ({ type: name, message, code, stack }),
      req: ({ method, url }: FastifyRequest) => ({ method, path: pathOf(url) }),
      res: () => undefined,
    },
  }
  if (!readable) return destination ? pino(options, destination) : pino(options)
  const lines = pretty({
    sync: true,
    ignore: 'pid,hostname,reqId,method,path,status,ms,account,code',
    translateTime: 'HH:MM:ss',
    ...(destination && { destination, colorize: false }),
  })
  return pino(options, lines)
}

const pathOf = (url: string) => printable(url.split('?', 1)[0] ?? '').slice(0, 200)

/** Levels at which no line is written for a request: none is made up, either. */
const quiet = new Set(['warn', 'error', 'fatal', 'silent'])

/**
 * Logs an answer when it is through, or its client gone: method, path, status, milliseconds, account. Fastify's
 * onResponse would say nothing of those who hang up.
 */
export function logWhenClosed(request: FastifyRequest, reply: FastifyReply): void {
  if (quiet.has(request.log.level)) return
  reply.raw.once('close', () => {
    const { method } = request
    const path = pathOf(request.url)
    const ms = Math.round(reply.elapsedTime * 10) / 10
    const account = request.viewer?.account
    // As nginx names it: the client closed the connection before the answer was out.
    const status = reply.raw.writableFinished ? reply.statusCode : 499
    const line = `${method.padEnd(6)} ${path} ${status} ${ms} ms${account === undefined ? '' : ` ${account}`}`
    request.log.info({ method, path, status, ms, account }, line)
  })
}

/** A line for each request. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => logWhenClosed(request, reply))
}
