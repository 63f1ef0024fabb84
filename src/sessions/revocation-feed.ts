import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { type ChangeStream, type Collection, type Db, UUID } from 'mongodb'
import { backOff } from '../back-off.ts'
import type { RevocationCache, RevocationDocument } from './revocation-cache.ts'

/** How often a sign of life is sent through the database, in milliseconds. */
const beatEvery = 300
/** For so long after somebody last asked, in milliseconds: a server that nobody uses leaves its disk alone. */
const beatFor = 300_000
/** How long MongoDB keeps a process's last sign of life, in milliseconds. */
const beatKept = 60_000

/**
 * Hears of every session that ends anywhere, by a change stream (MongoDB's are in the order of the commits, and never
 * of what a majority does not hold). A stream that hangs looks like one on which nothing happens. So each process
 * writes signs of life with its own clock's time: once it reads one of them in the stream, it has read all that was
 * committed before it was sent.
 */
export function revocationFeed(db: Db, revocations: RevocationCache, log: FastifyBaseLogger) {
  const collection: Collection<RevocationDocument> = db.collection('revocations')
  const self = new UUID()
  const closing = new AbortController()
  let stream: ChangeStream<RevocationDocument> | undefined
  let askedAt = performance.now()
  let beating = false

  const ours = {
    $match: {
      operationType: { $in: ['insert', 'replace'] },
      $or: [{ 'fullDocument.sentAt': { $exists: false } }, { 'documentKey._id': self }],
    },
  }

  async function beat(): Promise<void> {
    revocations.evictExpired()
    if (beating || performance.now() - askedAt > beatFor) return
    beating = true
    const sign = { sentAt: performance.now(), until: new Date(Date.now() + beatKept) }
    // What goes wrong shows in the stream, too: nothing comes.
    await collection.replaceOne({ _id: self }, sign, { upsert: true }).catch(() => undefined)
    beating = false
  }

  /** What was revoked before the stream began. */
  async function load(): Promise<void> {
    const found = collection.find({ sentAt: { $exists: false }, until: { $gt: new Date() } }).sort({ until: 1 })
    for await (const { _id, until } of found) revocations.add(_id.toString(), until)
  }

  async function listen(): Promise<void> {
    stream = collection.watch([ours])
    let loaded = false
    for await (const change of stream) {
      if (change.operationType !== 'insert' && change.operationType !== 'replace') continue
      const { _id, until, sentAt } = change.fullDocument
      if (sentAt === undefined) revocations.add(_id.toString(), until)
      else {
        // Only now is it certain that the stream has begun, and that nothing falls between it and what is loaded.
        if (!loaded) await load()
        loaded = true
        revocations.markCurrentAsOf(sentAt)
      }
    }
  }

  async function follow(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; failures += 1) {
      const from = performance.now()
      await listen().catch((error) => {
        if (!closing.signal.aborted) log.warn({ reason: String(error) }, 'the stream of revocations broke off')
      })
      revocations.markStale()
      await stream?.close().catch(() => undefined)
      if (performance.now() - from > 60_000) failures = 0
      await sleep(backOff(failures), undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  const timer = setInterval(() => void beat(), beatEvery).unref()
  void beat()
  const following = follow()
  return {
    /** Somebody wants to know: signs of life go on, or begin again. */
    noteUse(): void {
      askedAt = performance.now()
    },
    async close(): Promise<void> {
      clearInterval(timer)
      closing.abort()
      // A connection on which nothing comes any more is not waited for.
      const closed = stream?.close().catch(() => undefined)
      await Promise.race([Promise.all([closed, following]), sleep(1_000, undefined, { ref: false })])
    },
  }
}

export type RevocationFeed = ReturnType<typeof revocationFeed>
