import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { fairQueue } from '../../src/limits/fair-queue.ts'
import { whileQueued } from '../../src/limits/while-queued.ts'

t.test('reserved turns: many accounts of one network do not delay those of others', async (t) => {
  const queue = fairQueue({ maxRunning: 1, maxWaiting: 1_000 }, () => new Error('refused'))
  const begun: string[] = []
  let endFirst = () => {}
  const submit = (account: string, ip: string) => {
    // What whileQueued reads.
    const request = { client: { ip }, queuedMs: 0, server: { pendingReplies: new Map() } } as unknown as FastifyRequest
    const reply = { raw: new EventEmitter() } as FastifyReply
    const task = async () => void begun.push(account)
    return whileQueued(request, reply, (ticket) => queue(task, ticket), account)
  }
  const { signal } = new AbortController()
  const first = queue(() => new Promise<void>((resolve) => (endFirst = resolve)), { signal, key: 'first' })
  await setImmediate()
  const attack = Array.from({ length: 80 }, (_, n) => submit(`mallory ${n}`, `2001:db8:bad:${n.toString(16)}::1`))
  const others = [submit('alice', '2001:db8:1::1'), submit('bob', '203.0.113.1')]
  endFirst()
  await Promise.all([first, ...attack, ...others])
  t.same(begun.slice(0, 4), ['mallory 0', 'alice', 'bob', 'mallory 1'])
})
