import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Parts } from '../context.ts'
import { beginningOf, DaysQuery, DaysView } from './schema.ts'

/** What happens here, in numbers. */
export const analytics: FastifyPluginAsyncZod<Pick<Parts, 'analytics'>> = async (scope, { analytics }) => {
  scope.get(
    '/analytics/reactions',
    {
      schema: {
        summary: 'Count the reactions that stand, by the day on which they began',
        tags: ['analytics'],
        querystring: DaysQuery,
        response: { 200: DaysView },
      },
    },
    async (request) => {
      const { from, to } = request.query
      const days = await analytics.reactionsByDay(beginningOf(from), beginningOf(to))
      const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0)
      return {
        items: days.map(({ day, likes, dislikes }) => ({ date: day.toISOString().slice(0, 10), likes, dislikes })),
        total: { likes: sum(days.map(({ likes }) => likes)), dislikes: sum(days.map(({ dislikes }) => dislikes)) },
      }
    },
  )
}
