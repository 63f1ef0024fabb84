import type { FastifyInstance, FastifyRequest } from 'fastify'
import { passwordRoutes } from './accounts/change-password.ts'
import { deleteAccountRoute } from './accounts/delete-account.ts'
import { exportRoute } from './accounts/export.ts'
import { accountRoutes, publicAccountRoutes, signUpRoute } from './accounts/routes.ts'
import { activityRoutes } from './activity/routes.ts'
import { analyticsRoutes } from './analytics/routes.ts'
import type { AppConfig } from './config.ts'
import type { createContext } from './context.ts'
import { followRoutes, publicFollowRoutes } from './follows/routes.ts'
import { assertPresent } from './http/departed-clients.ts'
import { refuseCrossSite } from './http/origin.ts'
import { withQueuedChanges } from './http/waiting-room.ts'
import { limitWrites } from './limits/hooks.ts'
import { takePageTurns } from './limits/page-turns.ts'
import { limitReads } from './limits/read-limits.ts'
import { paceRefusals } from './limits/refusal-pace.ts'
import { limitSessionRequests } from './limits/session-request-limits.ts'
import { emailRoutes } from './mail/address-routes.ts'
import { requireMail } from './mail/require-mail.ts'
import { resetRoutes } from './mail/reset-routes.ts'
import { verificationRoute } from './mail/verification-route.ts'
import { health } from './operations/health.ts'
import { documentRoute } from './operations/openapi/plugin.ts'
import { home } from './page/home.ts'
import { confirmOptionsRoute } from './passkeys/confirm.ts'
import { passkeyLoginRoutes } from './passkeys/login-routes.ts'
import { preloadWebauthn } from './passkeys/preload.ts'
import { passkeyRoutes } from './passkeys/routes.ts'
import { postRoutes, publicPostRoutes } from './posts/routes.ts'
import { measurePulse, pulseRoute } from './pulse/routes.ts'
import { ownReactionRoutes, publicReactionRoutes, reactionRoutes } from './reactions/routes.ts'
import { secondFactorRoutes } from './second-factor/routes.ts'
import { secondStepRoute } from './second-factor/second-step.ts'
import type { LiveKeys } from './secrets/key-ring.ts'
import type { Services } from './services.ts'
import {
  optionalSession,
  requireChosenPassword,
  requireSession,
  requireViewer,
  viewerOf,
} from './sessions/auth-hooks.ts'
import { confirmRoute } from './sessions/confirm.ts'
import { currentSessionRoute } from './sessions/current-session.ts'
import { deviceRoutes } from './sessions/device-routes.ts'
import { jwks } from './sessions/jwks.ts'
import { presentedRefreshTokens, presentedViewers } from './sessions/presented.ts'
import { ownSessionRoutes, sessionRoutes } from './sessions/routes.ts'
import { streamRoute } from './stream/routes.ts'
import { timelineRoutes } from './timeline/routes.ts'

type Parts = { config: AppConfig; context: ReturnType<typeof createContext>; keys: LiveKeys }

/** What the limits of refreshes and logouts need to know of a request's cookies. */
const cookiesOf = ({ cookies, revocations }: Parts['context']) => ({
  claimedAccounts: (request: FastifyRequest) =>
    presentedRefreshTokens(request, cookies).map(({ account }) => account.toHexString()),
  async hasLiveSession(request: FastifyRequest) {
    const viewers = await presentedViewers(request, cookies)
    // Unknown to a process without recent revocations: the logout itself will tell.
    return viewers.some(({ session }) => revocations.isLive(session) !== false)
  },
})

export async function registerRoutes(app: FastifyInstance, services: Services, { config, context, keys }: Parts) {
  const servesAccounts = services.includes('accounts')
  const servesPosts = services.includes('posts')

  await app.register(health, context)
  await app.register(async (documents) => {
    await documents.register(limitReads, context)
    await documents.register(home, config)
    await documents.register(documentRoute)
    await documents.register(jwks, { keys })
  })

  await app.register(
    async (api) => {
      await api.register(measurePulse, context)
      await api.register(refuseCrossSite, config)
      await api.register(paceRefusals, context)
      await api.register(takePageTurns)

      if (servesAccounts) {
        await api.register(preloadWebauthn)
        await api.register(async (strangers) => {
          strangers.addHook('preHandler', assertPresent)
          await strangers.register(signUpRoute, context)
          await strangers.register(passkeyLoginRoutes, context)
          await strangers.register(secondStepRoute, context)
          await strangers.register(async (sessions) => {
            await sessions.register(limitSessionRequests, { ...context, ...cookiesOf(context) })
            await sessions.register(sessionRoutes, context)
          })
          await strangers.register(async (links) => {
            await links.register(requireMail, context)
            await links.register(verificationRoute, context)
            await links.register(resetRoutes, context)
          })
        })
      }

      await api.register(async (everyone) => {
        await everyone.register(optionalSession, context)
        await everyone.register(limitReads, { ...context, viewerOf })
        if (servesAccounts) {
          await everyone.register(publicAccountRoutes, context)
        }
        if (servesPosts) {
          await everyone.register(publicPostRoutes, context)
          await everyone.register(publicReactionRoutes, context)
          await everyone.register(publicFollowRoutes, context)
          await everyone.register(streamRoute, context)
          await everyone.register(pulseRoute, context)
        }
      })

      const requireAccount = async (signedIn: FastifyInstance) => {
        await signedIn.register(requireSession, context)
        await signedIn.register(limitReads, { ...context, viewerOf })
        await signedIn.register(limitWrites, { ...context, viewerOf: requireViewer })
      }
      if (servesAccounts) {
        await api.register(async (signedIn) => {
          await requireAccount(signedIn)
          await signedIn.register(currentSessionRoute, context)
          await signedIn.register(async (reauthenticated) => {
            await reauthenticated.register(passwordRoutes, context)
            await reauthenticated.register(async (withPassword) => {
              await withPassword.register(requireChosenPassword)
              await withPassword.register(confirmOptionsRoute, context)
              await withPassword.register(confirmRoute, context)
              await withPassword.register(secondFactorRoutes, context)
            })
          })
          await signedIn.register(async (withPassword) => {
            await withPassword.register(requireChosenPassword)
            await withPassword.register(accountRoutes, context)
            await withPassword.register(activityRoutes, context)
            await withPassword.register(ownSessionRoutes, context)
            await withPassword.register(passkeyRoutes, context)
            await withPassword.register(deviceRoutes, context)
            await withPassword.register(exportRoute, context)
            await withPassword.register(deleteAccountRoute, context)
            await withPassword.register(async (addressed) => {
              await addressed.register(requireMail, context)
              await addressed.register(emailRoutes, context)
            })
          })
        })
      }
      if (servesPosts) {
        await api.register(async (signedIn) => {
          withQueuedChanges(signedIn)
          await requireAccount(signedIn)
          await signedIn.register(requireChosenPassword)
          await signedIn.register(postRoutes, context)
          await signedIn.register(ownReactionRoutes, context)
          await signedIn.register(reactionRoutes, context)
          await signedIn.register(followRoutes, context)
          await signedIn.register(timelineRoutes, context)
          await signedIn.register(analyticsRoutes, context)
        })
      }
    },
    { prefix: '/v1' },
  )
}
