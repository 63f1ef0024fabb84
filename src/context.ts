import type { FastifyBaseLogger } from 'fastify'
import type { Db } from 'mongodb'
import { accountSweep } from './accounts/delete-content.ts'
import { accountStore } from './accounts/store.ts'
import { activityStore } from './activity/store.ts'
import { analyticsStore } from './analytics/store.ts'
import type { AppConfig } from './config.ts'
import { passwords } from './credentials/password-service.ts'
import { credentialStore } from './credentials/store.ts'
import { oneByOne } from './database/keyed-mutex.ts'
import { sweeper } from './database/sweeper.ts'
import type { Transact } from './database/transaction.ts'
import { followStore } from './follows/store.ts'
import { windowLimits } from './limits/fixed-window.ts'
import { loginLimits } from './limits/login-throttle.ts'
import { attemptLimits } from './limits/sliding-window.ts'
import { postStore } from './posts/store.ts'
import { sweepPosts } from './posts/sweep.ts'
import { reactionStore } from './reactions/store.ts'
import { cookieJar } from './sessions/cookies.ts'
import { deviceStore } from './sessions/devices.ts'
import { lastSeen } from './sessions/last-seen.ts'
import { sessionTurns } from './sessions/refresh.ts'
import { revocations } from './sessions/revocation-cache.ts'
import { revocationFeed } from './sessions/revocation-feed.ts'
import { sessionStore } from './sessions/store.ts'
import { timelineStore } from './timeline/store.ts'
import type { Writer } from './write-operations.ts'
import { fenceAround } from './writer/fence.ts'

/** All that outlives a request, made once; each feature's routes pick what they need of it. */
export function makeParts(config: AppConfig, db: Db, transact: Transact, writer: Writer, log: FastifyBaseLogger) {
  const accounts = accountStore(db, transact)
  const activity = activityStore(db)
  const follows = followStore(db, writer)
  const posts = postStore(db, writer)
  const reactions = reactionStore(db, writer)
  const revoked = revocations(db)
  const swept = accountSweep(db, { activity, follows, posts, reactions })
  return {
    accounts,
    accountSweep: swept,
    activity,
    analytics: analyticsStore(db),
    cookies: cookieJar(config.cookieSecure),
    credentials: credentialStore(db),
    devices: deviceStore(db),
    fence: fenceAround(db),
    feed: revocationFeed(db, revoked, log),
    follows,
    lastSeen: lastSeen(db, log),
    limits: config.limits,
    logins: loginLimits(attemptLimits(db, log), config.limits.failedLogins, config.jwtSignKey),
    oneByOne: oneByOne(),
    passwords: passwords({ cost: config.bcryptCost, peppers: config.peppers, processes: config.processes }),
    passwordMinLength: config.passwordMinLength,
    posts,
    reactions,
    revocations: revoked,
    sessions: sessionStore(db, revoked),
    sweepers: { accounts: sweeper(swept.sweep, log), posts: sweeper(sweepPosts(db, reactions), log) },
    timelines: timelineStore(db),
    transact,
    turns: sessionTurns(db),
    usernameHoldDays: config.usernameHoldDays,
    windows: windowLimits(db),
  }
}

export type Parts = ReturnType<typeof makeParts>
