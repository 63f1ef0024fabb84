import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { testServer } from '../helper.ts'
import { honest, type Lie, lyingProxy, type ProxiedRequest, problem } from './lying-proxy.ts'
import { runAgainst } from './run-crowd.ts'

const size = { users: 1, posts: 1, reactions: 0, totalMs: 60_000, attemptTimeoutMs: 20_000 }
/** The first robot carries an app: with the one until it leaves, with the other it removes it on its day. */
const seeds = { keeps: 8, removes: 16 }

const app = '/v1/second-factor/totp'
const enrolment = `${app}/confirm`
const secondStep = '/v1/session/second-factor'

async function run(
  t: Test,
  { lie = honest, seed = seeds.keeps, env = {}, users = 1 }: { lie?: Lie; seed?: number; env?: object; users?: number },
) {
  const { url, db } = await testServer(t, { ...env })
  const proxy = await lyingProxy(url, lie)
  t.teardown(proxy.close)
  const { findings, stats } = await runAgainst(proxy.url, { ...size, users, seed })
  t.strictSame(findings.findings, [])
  t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures(), gaveUp: findings.gaveUp })
  t.equal(await db.collection('secondFactors').countDocuments({}), 0, 'no second factor is left')
  const bodiesTo = (path: string) => proxy.requests.filter((one) => one.path === path).map(({ body }) => body)
  return { db, findings, bodiesTo }
}

/** The nth request for which `applies` gets no answer, and has no effect unless it `happens`. */
function losing(applies: (request: ProxiedRequest) => boolean, happens: boolean, nth = 1): Lie {
  let count = 0
  return async (request, forward) => {
    if (applies(request)) count += 1
    if (count !== nth || !applies(request)) return forward()
    count += 1
    if (happens) await forward()
    return null
  }
}

t.test('a robot enrols an app, logs in with codes and recovery codes, and removes it', async (t) => {
  for (const seed of Object.values(seeds)) {
    const { db, findings, bodiesTo } = await run(t, { seed })
    t.equal(await db.collection('sessions').countDocuments({}), 0, 'no session is left')
    t.equal(findings.totals.secondFactors, 1)
    t.equal(bodiesTo(enrolment).length, 1)
    const steps = bodiesTo(secondStep).map((body) => Object.keys(JSON.parse(body)))
    t.ok(steps.some((members) => members.includes('code')))
    t.ok(steps.some((members) => members.includes('recoveryCode')))
    t.ok(steps.some((members) => members.includes('trustDevice')))
    const events = await db.collection('activity').distinct('event')
    const expected = ['totp-enrolled', 'totp-removed', 'recovery-code-used', 'second-factor-failed']
    t.strictSame(
      expected.filter((event) => !events.includes(event)),
      [],
    )
  }
})

t.test('where no app can be enrolled, robots go on with the password alone', async (t) => {
  const withoutKeys = await run(t, { env: { TOTP_KEYS: '' } })
  t.equal(withoutKeys.findings.totals.secondFactors, 0)
  const older = await run(t, {
    lie: async ({ path }, forward) => (path.startsWith('/v1/second-factor') ? problem(404, 'not-found') : forward()),
  })
  t.equal(older.findings.totals.secondFactors, 0)
})

t.test('the answer to an enrolment is lost: the robot finds out, and gets other recovery codes', async (t) => {
  const isEnrolment = ({ path }: ProxiedRequest) => path === enrolment
  const happened = await run(t, { lie: losing(isEnrolment, true) })
  t.equal(happened.bodiesTo('/v1/second-factor/recovery-codes').length, 1)
  const never = await run(t, { lie: losing(isEnrolment, false) })
  t.equal(never.bodiesTo('/v1/second-factor/recovery-codes').length, 0)
  t.equal(never.findings.totals.secondFactors, 1)
})

t.test('the answers to second steps and removals are lost: another factor serves', async (t) => {
  for (const happens of [true, false])
    for (const lost of [secondStep, '/v1/session/confirm', app]) {
      const isRemoval = lost === app
      const isLost = ({ path, method, body }: ProxiedRequest) =>
        path === lost && (isRemoval ? method === 'DELETE' : /"(recoveryC|c)ode":/.test(body))
      // The first removal is the one that must be refused.
      await run(t, { lie: losing(isLost, happens, isRemoval ? 2 : 1), seed: seeds.removes })
    }
})

t.test('a server whose clock is wrong takes no code: recovery codes serve', async (t) => {
  const { bodiesTo } = await run(t, {
    lie: async ({ path, body }, forward) =>
      forward(path === enrolment ? {} : { body: body.replace(/"code":"\d+"/, '"code":"000000"') }),
  })
  t.ok(bodiesTo(secondStep).some((body) => /recoveryCode/.test(body)))
})

t.test('an enrolment whose code is refused is begun again later', async (t) => {
  let refused = 0
  const { findings, bodiesTo } = await run(t, {
    lie: async ({ path }, forward) => {
      if (path !== enrolment || refused > 0) return forward()
      refused += 1
      return problem(401, 'invalid-credentials')
    },
  })
  t.equal(findings.totals.secondFactors, 1)
  t.equal(bodiesTo(app).length, 3, 'begun twice, removed once')
})

t.test('a change of password that needs a confirmation is confirmed with a code, and sent again', async (t) => {
  const path = '/v1/account/password'
  const changesPassword = { seed: 6, users: 3 }
  let refused = 0
  const { findings, bodiesTo } = await run(t, {
    ...changesPassword,
    lie: async (request, forward) => {
      if (request.path !== path || refused > 0) return forward()
      refused += 1
      return problem(403, 'confirmation-required')
    },
  })
  t.equal(findings.totals.secondFactors, 1)
  t.equal(bodiesTo(path).length, 2)
  t.ok(bodiesTo('/v1/session/confirm').some((body) => /ode":/.test(body)))
})
