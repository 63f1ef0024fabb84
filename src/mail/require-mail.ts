import fp from 'fastify-plugin'
import { Problem } from '../http/problems.ts'

/** For a scope whose routes need mails: without a mail server, they are 403. */
export const requireMail = fp<{ isMailOn: boolean }>(async (scope, { isMailOn }) => {
  scope.addHook('preHandler', async () => {
    if (!isMailOn) throw new Problem('forbidden', 'This server sends no e-mail: its operator has not set SMTP_URL.')
  })
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, problems: [...(route.config?.problems ?? []), 'forbidden'] }
  })
})
