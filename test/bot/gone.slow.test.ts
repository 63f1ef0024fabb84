import t from 'tap'
import { runCrowd } from '../../bot/crowd.ts'
import { Measurements } from '../../bot/load/measurements.ts'
import { testServer } from '../helper.ts'
import { honest, type Lie, lyingProxy, problem } from './lying-proxy.ts'
import { createRunContext } from './run-crowd.ts'

const size = { users: 3, posts: 2, replies: 0, follows: 1, reactions: 4, deletions: 60 }

async function measured(url: string) {
  const { context } = createRunContext(url, { totalMs: 60_000, attemptTimeoutMs: 20_000 })
  const measurements = new Measurements()
  context.history.listen(measurements)
  const progress = { begin: () => ({ step: () => {}, end: () => {} }) }
  const { findings } = await runCrowd(5, size, context, progress, undefined, {
    onChecker: (checker) => {
      measurements.mayBeGone = (register) => checker.mayBeGone(register)
    },
  })
  measurements.stop()
  return { findings, figures: measurements.figures() }
}

async function behind(t: Parameters<typeof testServer>[0], lie: Lie) {
  const { url } = await testServer(t)
  const proxy = await lyingProxy(url, lie)
  t.teardown(proxy.close)
  return measured(proxy.url)
}

t.test('what robots have deleted is gone as it should be, and no error', async (t) => {
  const { findings, figures } = await behind(t, honest)
  t.strictSame(findings, [])
  t.ok(figures.total.gone > 0, `${figures.total.gone} gone`)
  t.strictSame(
    figures.errors.filter(({ cause }) => cause.startsWith('404')),
    [],
  )
})

t.test('what no robot can have deleted is missed: a finding, and an error', async (t) => {
  let hidden: string | null = null
  const { findings, figures } = await behind(t, async ({ method, path }, forward) => {
    const reply = await forward()
    if (method === 'PATCH' && path.startsWith('/v1/posts/') && reply.status === 200) hidden ??= path
    return method === 'GET' && path === hidden ? problem(404, 'not-found') : reply
  })
  t.match(findings[0], { rule: 'R', object: /^post:/, seen: 'false' })
  t.match(figures.errors, [{ cause: '404 not-found' }])
})
