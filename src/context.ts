import type { FastifyInstance } from 'fastify'
import { contentDeletion } from './accounts/delete-content.ts'
import { accountStore } from './accounts/store.ts'
import { tombstoneStore } from './accounts/tombstone.ts'
import { activityStore } from './activity/store.ts'
import { analyticsStore } from './analytics/store.ts'
import type { AppConfig } from './config.ts'
import { passwordService } from './credentials/password-service.ts'
import { credentialStore } from './credentials/store.ts'
import { keyedMutex } from './database/keyed-mutex.ts'
import { sweeper } from './database/sweeper.ts'
import { followStore } from './follows/store.ts'
import { fixedWindow } from './limits/fixed-window.ts'
import { loginThrottle } from './limits/login-throttle.ts'
import { slidingWindow } from './limits/sliding-window.ts'
import { postStore } from './posts/store.ts'
import { sweepPosts } from './posts/sweep.ts'
import { reactionStore } from './reactions/store.ts'
import { sessionCookies } from './sessions/cookies.ts'
import { deviceStore } from './sessions/devices.ts'
import { lastSeen } from './sessions/last-seen.ts'
import { tokenRotation } from './sessions/refresh.ts'
import { revocationCache } from './sessions/revocation-cache.ts'
import { revocationFeed } from './sessions/revocation-feed.ts'
import { sessionStore } from './sessions/store.ts'
import { timelineStore } from './timeline/store.ts'
import type { Writer } from './write-operations.ts'
import { deletionFence } from './writer/fence.ts'

type Server = Pick<FastifyInstance, 'databaseUser' | 'db' | 'log' | 'transact'>

/** Creates everything that outlives a request. Each feature declares the part of it that it needs. */
export function createContext(config: AppConfig, app: Server, writer: Writer) {
  const { db, log, transact } = app
  const { noteRefusal } = app.databaseUser
  const { bcryptCost, jwtSignKey, limits, passwordMinLength, peppers, processes, usernameHoldDays } = config
  const activity = activityStore(db)
  const follows = followStore(db, writer)
  const posts = postStore(db, writer)
  const reactions = reactionStore(db, writer)
  const revocations = revocationCache(db)
  const tombstones = tombstoneStore(db)
  const deletion = contentDeletion({ activity, follows, posts, reactions, tombstones })
  return {
    accounts: accountStore(db, transact),
    activity,
    analytics: analyticsStore(db),
    contentDeletion: deletion,
    cookies: sessionCookies(config.cookieSecure),
    credentials: credentialStore(db),
    devices: deviceStore(db),
    feed: revocationFeed(db, revocations, log, noteRefusal),
    fence: deletionFence(db),
    fixedWindow: fixedWindow(db),
    follows,
    lastSeen: lastSeen(db, log),
    limits,
    loginThrottle: loginThrottle(slidingWindow(db, log), limits.failedLogins, jwtSignKey),
    mutex: keyedMutex(),
    passwordMinLength,
    passwords: passwordService({ cost: bcryptCost, peppers, processes }),
    posts,
    reactions,
    revocations,
    sessions: sessionStore(db, revocations),
    sweepers: {
      accounts: sweeper(deletion.sweep, log, noteRefusal),
      posts: sweeper(sweepPosts(db, reactions), log, noteRefusal),
    },
    timelines: timelineStore(db),
    tokenRotation: tokenRotation(db),
    tombstones,
    transact,
    usernameHoldDays,
  }
}
