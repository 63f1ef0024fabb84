import type { FastifyBaseLogger } from 'fastify'
import type { Db } from 'mongodb'
import { accountStore } from './accounts/store.ts'
import type { AppConfig } from './config.ts'
import { passwords } from './credentials/passwords.ts'
import { credentialStore } from './credentials/store.ts'
import type { Transact } from './database/transaction.ts'
import { throttleStore } from './limits/store.ts'
import { postStore } from './posts/store.ts'
import { reactionSweeper } from './posts/sweep.ts'
import { reactionStore } from './reactions/store.ts'
import { cookieJar } from './sessions/cookies.ts'
import { deviceStore } from './sessions/devices.ts'
import { sessionStore } from './sessions/store.ts'
import type { Writer } from './writer/kinds.ts'

/** All that outlives a request, made once; each feature's routes pick what they need of it. */
export function makeParts(config: AppConfig, db: Db, transact: Transact, writer: Writer, log: FastifyBaseLogger) {
  const accounts = accountStore(db, transact)
  const posts = postStore(db, writer)
  const reactions = reactionStore(db, writer)
  return {
    accounts,
    cookies: cookieJar(config.cookieSecure),
    credentials: credentialStore(db),
    devices: deviceStore(db),
    limits: config.limits,
    passwords: passwords({ cost: config.bcryptCost, processes: config.processes }),
    passwordMinLength: config.passwordMinLength,
    posts,
    reactions,
    sessions: sessionStore(db),
    sweeper: reactionSweeper(db, reactions, log),
    throttle: throttleStore(db),
    transact,
  }
}

export type Parts = ReturnType<typeof makeParts>
