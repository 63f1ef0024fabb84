import t from 'tap'
import { answerWatch } from '../../src/database/answer-watch.ts'

/** A database that answers the pings when it is told to. */
function fakeDatabase() {
  const pings: PromiseWithResolvers<void>[] = []
  const watch = answerWatch(() => {
    const ping = Promise.withResolvers<void>()
    pings.push(ping)
    return ping.promise
  })
  return { pings, watch }
}

t.test('a database that answers the ping is not silent, and after an answer nothing is asked', async (t) => {
  const { pings, watch } = fakeDatabase()
  const verdicts = [watch.isAnswering(), watch.isAnswering()]
  t.equal(pings.length, 1, 'one ping for all')
  pings[0]?.resolve()
  t.same(await Promise.all(verdicts), [true, true])
  watch.noteAnswer()
  t.equal(watch.isAnswering(), true)
  t.equal(pings.length, 1)
})

t.test('a database that does not answer the ping is silent until it answers anything', async (t) => {
  const { pings, watch } = fakeDatabase()
  t.equal(await watch.isAnswering(), false)
  t.equal(watch.isAnswering(), false)
  t.equal(pings.length, 1, 'the first ping still waits')
  pings[0]?.resolve()
  await new Promise(setImmediate)
  t.not(watch.isAnswering(), false)
})

t.test('a ping that fails is followed by another', async (t) => {
  const { pings, watch } = fakeDatabase()
  t.equal(await watch.isAnswering(), false)
  pings[0]?.reject(new Error('no primary'))
  await new Promise(setImmediate)
  t.equal(watch.isAnswering(), false)
  t.equal(pings.length, 2)
})

t.test('an answer that arrived while the event loop was busy counts', async (t) => {
  const answered = Promise.withResolvers<void>()
  const watch = answerWatch(() => answered.promise)
  const verdict = watch.isAnswering()
  setTimeout(() => setImmediate(() => answered.resolve()), 0)
  for (const until = performance.now() + 100; performance.now() < until; );
  t.equal(await verdict, true)
})
