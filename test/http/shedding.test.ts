import Fastify from 'fastify'
import t from 'tap'
import { answerWithProblems } from '../../src/http/errors.ts'
import { adaptiveLimit, shedWrites } from '../../src/http/shedding.ts'
import { eventually } from '../eventually.ts'

const bounds = { first: 100, min: 10, max: 200 }

/** A limit with a clock of its own. */
function setUp() {
  let time = 0
  const limit = adaptiveLimit(bounds, () => time)
  return {
    limit,
    wait: (ms: number) => {
      time += ms
    },
    /** Begins as many as may. @returns what ends them, in their order */
    fill() {
      const ends: (() => void)[] = []
      while (!limit.isFull()) ends.push(limit.begin())
      return ends
    },
  }
}

const endAll = (ends: (() => void)[]) => {
  for (const end of ends) end()
}

t.test('the limit grows while it is reached and nothing is slow, up to its bound', async (t) => {
  const { wait, fill } = setUp()
  let size = 0
  for (let n = 0; n < 20; n += 1) {
    wait(300)
    const ends = fill()
    t.ok(ends.length >= size)
    size = ends.length
    endAll(ends)
  }
  t.equal(size, 200)
})

t.test('slow changes lower the limit once for all that began before, and not below its bound', async (t) => {
  const { wait, fill } = setUp()
  const first = fill()
  wait(2_100)
  endAll(first.splice(0, 50))
  wait(300)
  endAll(first)
  const second = fill()
  t.equal(second.length, 80, 'of the 100 in progress 80% may be')
  for (let n = 0; n < 20; n += 1) {
    const ends = fill()
    wait(2_100)
    endAll([...second.splice(0), ...ends])
  }
  t.equal(fill().length, 10)
})

t.test('an unused limit does not grow', async (t) => {
  const { limit, wait, fill } = setUp()
  for (let n = 0; n < 20; n += 1) {
    const end = limit.begin()
    wait(300)
    end()
  }
  t.equal(fill().length, 100)
})

t.test('while as many changes as may be are in progress, others get overloaded and reads are answered', async (t) => {
  const app = Fastify()
  const release = Promise.withResolvers<void>()
  let running = 0
  answerWithProblems(app)
  await app.register(shedWrites, { bounds: { first: 2, min: 2, max: 2 } })
  app.get('/', async () => 'read')
  app.put('/', async () => {
    running += 1
    await release.promise
    return 'written'
  })
  t.teardown(() => app.close())
  const changes = [app.inject({ method: 'PUT', url: '/' }), app.inject({ method: 'PUT', url: '/' })]
  await eventually(() => running === 2)
  const refused = await app.inject({ method: 'PUT', url: '/' })
  t.match(refused, { statusCode: 503, headers: { 'retry-after': '2' } })
  t.match(refused.json(), { code: 'overloaded' })
  t.equal((await app.inject('/')).statusCode, 200)
  release.resolve()
  t.same(
    (await Promise.all(changes)).map(({ statusCode }) => statusCode),
    [200, 200],
  )
  t.equal((await app.inject({ method: 'PUT', url: '/' })).statusCode, 200)
})
