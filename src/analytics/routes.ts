import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { untilAnswered } from '../http/deadline.ts'
import { accountTurn } from '../limits/client-turn.ts'
import { requireViewer } from '../sessions/auth-hooks.ts'
import { DaysQuery, DaysView, startOfDay } from './schema.ts'
import type { AnalyticsStore } from './store.ts'

export const analyticsRoutes: FastifyPluginAsyncZod<{ analytics: AnalyticsStore }> = async (scope, { analytics }) => {
  scope.get(
    '/analytics/reactions',
    {
      schema: {
        operationId: 'countReactions',
        summary: 'Count reactions by day',
        tags: ['analytics'],
        querystring: DaysQuery,
        response: { 200: DaysView },
      },
    },
    async (request, reply) => {
      const { from, to } = request.query
      const turn = accountTurn(request.client.ip, requireViewer(request).account)
      const ticket = { ...turn, signal: untilAnswered(reply) }
      const days = await analytics.reactionsByDay(startOfDay(from), startOfDay(to), ticket)
      const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
      return {
        items: days.map(({ day, likes, dislikes }) => ({ date: day.toISOString().slice(0, 10), likes, dislikes })),
        total: { likes: sum(days.map(({ likes }) => likes)), dislikes: sum(days.map(({ dislikes }) => dislikes)) },
      }
    },
  )
}
