import t from 'tap'
import { sharedQuery } from '../../src/database/shared-query.ts'

t.test('identical queries of one turn of the event loop are one, and none joins one that was sent', async (t) => {
  const share = sharedQuery<string>()
  const sent: string[] = []
  const ended = Promise.withResolvers<void>()
  const ask = (name: string) =>
    share(name, async () => {
      sent.push(name)
      const number = sent.length
      if (number === 1) await ended.promise
      return `${name} ${number}`
    })
  const first = [ask('a'), ask('a')]
  await new Promise((resolve) => setImmediate(resolve))
  t.same(sent, ['a'])
  const later = [ask('a'), ask('b'), ask('a')]
  t.same(await Promise.all(later), ['a 2', 'b 3', 'a 2'], 'while the first has not been answered')
  ended.resolve()
  t.same(await Promise.all(first), ['a 1', 'a 1'])
  t.equal(await ask('a'), 'a 4', 'nothing is kept')
})

t.test('a query that fails fails for all who share it, and not later', async (t) => {
  const share = sharedQuery<number>()
  const broken = new Error('the database is away')
  let fails = true
  const ask = () => share('a', async () => (fails ? Promise.reject(broken) : 1))
  for (const result of await Promise.allSettled([ask(), ask()])) t.match(result, { reason: broken })
  fails = false
  t.equal(await ask(), 1)
})
