import type { FastifyBaseLogger } from 'fastify'
import type { Db } from 'mongodb'
import type { Registry } from 'prom-client'
import { contentDeletion } from './accounts/delete-content.ts'
import { reservedNames } from './accounts/reserved-names.ts'
import { accountStore } from './accounts/store.ts'
import { tombstoneStore } from './accounts/tombstone.ts'
import { failedLogins } from './activity/failed-logins.ts'
import { activityStore } from './activity/store.ts'
import { analyticsStore } from './analytics/store.ts'
import type { AppConfig } from './config.ts'
import { breachService } from './credentials/breach-service.ts'
import { passwordService } from './credentials/password-service.ts'
import { credentialStore } from './credentials/store.ts'
import type { NoteRefusal } from './database/access-refusals.ts'
import { keyedMutex } from './database/keyed-mutex.ts'
import { idleSweeper, sweeper } from './database/sweeper.ts'
import type { Transact } from './database/transaction.ts'
import { followStore } from './follows/store.ts'
import type { ClientInfo } from './http/client-info.ts'
import { accountCounters } from './limits/account-counters.ts'
import { failedCodes } from './limits/failed-codes.ts'
import { fixedWindow } from './limits/fixed-window.ts'
import { loginThrottle } from './limits/login-throttle.ts'
import { readLimits } from './limits/read-limits.ts'
import { refusalPace } from './limits/refusal-pace.ts'
import { sessionRequestLimits } from './limits/session-request-limits.ts'
import { slidingWindow } from './limits/sliding-window.ts'
import { successfulLogins } from './limits/successful-logins.ts'
import { emailStore } from './mail/emails.ts'
import { mailNotices } from './mail/notices.ts'
import { outboxStore } from './mail/outbox.ts'
import { resetLinks } from './mail/reset-links.ts'
import { mailSender } from './mail/sender.ts'
import { mailTransport } from './mail/transport.ts'
import { verificationLimits } from './mail/verification-limits.ts'
import { clockCheck, readTimeOf } from './operations/clock-check.ts'
import { securityLog } from './operations/security-log.ts'
import { passkeyStore } from './passkeys/store.ts'
import { postPages } from './posts/page-views.ts'
import { postStore } from './posts/store.ts'
import { sweepPosts } from './posts/sweep.ts'
import { pulse } from './pulse/pulse.ts'
import { reactionStore } from './reactions/store.ts'
import { secondFactorStore } from './second-factor/store.ts'
import type { LiveSecrets } from './secrets/live.ts'
import { challengeKeys, challengeStore } from './sessions/challenges.ts'
import { sessionCookies } from './sessions/cookies.ts'
import { deviceStore } from './sessions/devices.ts'
import { lastSeen } from './sessions/last-seen.ts'
import { tokenRotation } from './sessions/refresh.ts'
import { revocationCache } from './sessions/revocation-cache.ts'
import { revocationFeed } from './sessions/revocation-feed.ts'
import { sessionOwners } from './sessions/session-owners.ts'
import { sessionStore } from './sessions/store.ts'
import { notingAccounts, notingPosts, recentRemovals } from './stream/removals.ts'
import { streamHub } from './stream/streams.ts'
import { timelineStore } from './timeline/store.ts'
import type { Writer } from './write-operations.ts'
import { deletionFence } from './writer/deletion-fence.ts'

type Parts = {
  db: Db
  isDraining: () => boolean
  log: FastifyBaseLogger
  noteRefusal: NoteRefusal
  /** Where browsers reach the page. */
  origin: () => string
  registry: Registry
  secrets: Pick<LiveSecrets, 'current'>
  signals: Db
  throttleKey: string
  transact: Transact
  writer: Writer
}

/** Creates everything that outlives a request. Each feature declares the part of it that it needs. */
export function createContext(config: AppConfig, parts: Parts) {
  const { bcryptCost, limits, mail, passwordBreachUrl, passwordMinLength, processes, services, usernameHoldDays } =
    config
  const { db, isDraining, log, noteRefusal, origin, registry, secrets, signals, throttleKey, transact, writer } = parts
  const isMailOn = mail.kind !== 'none'
  const emails = emailStore(db)
  const tokenKeys = () => challengeKeys(secrets.current.signKeys, throttleKey)
  const outbox = outboxStore(db, tokenKeys, () => sender.wakeSoon())
  const notices = mailNotices({ emails, isOn: isMailOn, outbox })
  const activity = activityStore(db, notices)
  const credentials = credentialStore(db)
  const fixedWindows = fixedWindow(db)
  const follows = followStore(db, writer)
  const removals = recentRemovals()
  const posts = postStore(db, notingPosts(writer, removals))
  const reactions = reactionStore(db, writer)
  const revocations = revocationCache(db)
  const owners = sessionOwners(db)
  const tombstones = tombstoneStore(db)
  const attempts = slidingWindow(db, log)
  const fence = deletionFence(db, transact, tombstones)
  const deletion = contentDeletion({ activity, fence, follows, posts, reactions, tombstones })
  const accounts = accountStore(db, transact)
  const mutex = keyedMutex()
  const tellFailure = async (account: string, event: string, client: ClientInfo) => {
    if (!notices.isTold(event)) return
    const tell = () => transact((transaction) => notices.add(account, event, client, transaction))
    // Not by the account alone: failures of others must not hold up its owner's changes.
    await mutex(`${account}:${event}`, tell)
  }
  const sender = mailSender({
    log,
    makeReset: resetLinks({ activity, credentials, emails, outbox, transact }),
    noteRefusal,
    origin,
    outbox,
    registry,
    send: mailTransport({ config: mail, log, mailServer: () => secrets.current.mailServer }),
  })
  const feed = revocationFeed(signals, revocations, log, noteRefusal)
  return {
    accounts,
    activity,
    analytics: analyticsStore(db),
    challenges: challengeStore(db, tokenKeys),
    clock: clockCheck(readTimeOf(signals), log),
    contentDeletion: notingAccounts(deletion, removals),
    cookies: sessionCookies(config.cookieSecure),
    countersOf: (account: { id: string; username: string }) => accountCounters(db, account, throttleKey),
    credentials,
    devices: deviceStore(db),
    emails,
    failedCodes: failedCodes(attempts, limits.failedCodes),
    failedLogins: failedLogins(db, writer, log, tellFailure),
    feed,
    fixedWindow: fixedWindows,
    follows,
    isMailOn,
    isReservedName: reservedNames(config.reservedUsernames),
    lastSeen: lastSeen(db, log),
    limits,
    mailSender: sender,
    loginThrottle: loginThrottle(attempts, limits.failedLogins, throttleKey),
    mutex,
    notices,
    outbox,
    passkeys: passkeyStore(db),
    passwordMinLength,
    passwords: passwordService({
      cost: bcryptCost,
      processes,
      isBreached: passwordBreachUrl === undefined ? undefined : breachService(passwordBreachUrl, log),
      get peppers() {
        return secrets.current.peppers
      },
    }),
    postPages: postPages(db, { accounts, reactions }),
    posts,
    pulse: pulse(),
    reactions,
    readLimits: readLimits(limits),
    refusalPace: refusalPace(),
    revocations,
    successfulLogins: successfulLogins(fixedWindows, limits),
    secondFactors: secondFactorStore(db, () => secrets.current.totpKeys),
    securityLog: securityLog({ log, isOn: config.log.security, nameKey: throttleKey, registry }),
    sessionOwners: owners,
    sessions: sessionStore(db, revocations, owners),
    sessionRequestLimits: sessionRequestLimits(limits),
    slidingWindow: attempts,
    streams: streamHub({
      accounts,
      db,
      feed,
      follows,
      isDraining,
      log,
      noteRefusal,
      posts,
      reactions,
      registry,
      removals,
      revocations,
      signals,
    }),
    sweepers: {
      accounts: services.includes('accounts') ? sweeper(deletion.sweep, log, noteRefusal) : idleSweeper,
      posts: sweeper(sweepPosts(db, reactions), log, noteRefusal),
    },
    timelines: timelineStore(db, follows),
    tokenRotation: tokenRotation(db),
    tombstones,
    transact,
    usernameHoldDays,
    verificationLimits: verificationLimits(attempts, limits.verificationsPerAccount, throttleKey),
  }
}
