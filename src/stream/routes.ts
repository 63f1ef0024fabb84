import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { untilAnswered } from '../http/deadline.ts'
import { unauthenticated } from '../http/problems.ts'
import { EventStream, eventStreamType } from '../http/responses.ts'
import { clientTurn } from '../limits/client-turn.ts'
import { requireViewer } from '../sessions/auth-hooks.ts'
import type { SessionCookies } from '../sessions/cookies.ts'
import { presentedAccessTokens } from '../sessions/presented.ts'
import { openStreams } from './open-streams.ts'
import { StreamHeaders, StreamQuery } from './schema.ts'
import type { StreamHub } from './streams.ts'

type Context = {
  cookies: SessionCookies
  limits: { streamsPerAddress: number }
  streams: Pick<StreamHub, 'open'>
}

export const streamRoute: FastifyPluginAsyncZod<Context> = async (scope, { cookies, limits, streams }) => {
  const open = openStreams(limits.streamsPerAddress)

  /** A stream ends with the access token that opened it, and so never after its session. */
  function endsAt(request: FastifyRequest): number {
    const { accessTokens } = request.server
    const tokens = presentedAccessTokens(request, cookies)
    const own = tokens.filter((token) => accessTokens.read(token)?.session === request.viewer?.session)
    return Math.max(...own.map((token) => accessTokens.expiryOf(token)?.getTime() ?? 0))
  }

  scope.get(
    '/stream',
    {
      schema: {
        operationId: 'readStream',
        summary: 'Follow posts as they change',
        tags: ['posts'],
        querystring: StreamQuery,
        headers: StreamHeaders,
        response: { 200: EventStream },
      },
      config: { problems: ['unauthenticated'] },
      onRequest: async (request) => {
        // Not validated yet: a refusal comes before a 400.
        const { scope } = request.query as { scope?: unknown }
        if (scope === 'timeline' && request.viewer === null) throw unauthenticated()
        open.check(request.client.ip)
      },
    },
    async (request, reply) => {
      const { viewer, client } = request
      const isTimeline = request.query.scope === 'timeline'
      if (isTimeline) requireViewer(request)
      reply.type(eventStreamType).headers({
        'cache-control': 'no-store',
        // nginx would collect events until they fill a buffer.
        'x-accel-buffering': 'no',
        // A stream that ends must be opened on another connection: this process may be about to stop.
        connection: 'close',
      })
      if (request.method === 'HEAD') return reply.send(Readable.from([]))
      let end = (): void => void reply.raw.destroy()
      const release = open.acquire(client.ip, () => end())
      reply.raw.once('close', release)
      const reader = await streams.open({
        raw: reply.raw,
        viewer,
        endsAt: viewer ? endsAt(request) : Number.POSITIVE_INFINITY,
        isTimeline,
        lastEventId: request.headers['last-event-id'] || undefined,
        ticket: { ...clientTurn(client.ip, viewer?.account), signal: untilAnswered(reply) },
        onClose: release,
      })
      end = reader.end
      return reply.send(reader.body)
    },
  )
}
