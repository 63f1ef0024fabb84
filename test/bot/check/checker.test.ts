import t from 'tap'
import { Checker } from '../../../bot/check/checker.ts'
import { History } from '../../../bot/history/history.ts'
import { lists, registers } from '../../../bot/history/registers.ts'

const ok = { status: 200, cause: '200', requestId: 'id' }

t.test('the answer to a write counts it, also when a read showed the write before its answer', async (t) => {
  let now = 0
  const history = new History(() => {
    now += 1
    return now
  })
  const checker = new Checker()
  history.listen(checker)
  const post = 'cid/0'
  const react = (account: string, value: 'like' | null) =>
    history.begin({ robot: 0, action: 'react' }, [{ register: registers.reaction(account, post), value }])
  const likes = (value: number) => [{ count: lists.likes(post), value }]
  history.end(react('ann', 'like'), ok, likes(1))
  history.end(react('bob', 'like'), ok, likes(2))
  const removal = react('ann', null)
  history.end(history.begin({ robot: 1, action: 'read' }), ok, [
    { register: registers.reaction('ann', post), value: null },
  ])
  history.end(react('cid', 'like'), ok, [])
  history.end(removal, ok, likes(2))
  t.same(checker.findings, [], 'two likes are left')
  history.end(react('ann', 'like'), ok, likes(2))
  t.match(checker.findings, [{ rule: 'C', object: 'likes:cid/0', expected: '3', seen: '2' }], 'its own is not counted')
})

t.test(
  'while an account is being deleted, counts of others may still have it, though a read shows it gone',
  async (t) => {
    let now = 0
    const history = new History(() => {
      now += 1
      return now
    })
    const checker = new Checker({ alone: true })
    history.listen(checker)
    const write = (register: string, value: boolean) =>
      history.begin({ robot: 0, action: 'write' }, [{ register, value }])
    const read = (observation: NonNullable<Parameters<History['end']>[2]>[number]) =>
      history.end(history.begin({ robot: 1, action: 'read' }), ok, [observation])
    for (const name of ['ann', 'bob']) history.end(write(registers.account(name), true), ok, [])
    history.end(write(registers.follow('ann', 'bob'), true), ok, [])
    const deletion = write(registers.account('bob'), false)
    read({ register: registers.account('bob'), value: false })
    read({ count: lists.following('ann'), value: 1 })
    read({ count: lists.following('ann'), value: 0 })
    t.same(checker.findings, [])
    history.end(deletion, ok, [])
    read({ count: lists.following('ann'), value: 1 })
    t.match(checker.findings, [{ rule: 'C', expected: '0', seen: '1' }], 'after its answer they must not')
  },
)

t.test('recovery codes above what is left are a finding, though other accounts are allowed', async (t) => {
  let now = 0
  const history = new History(() => {
    now += 1
    return now
  })
  const excesses: unknown[] = []
  const checker = new Checker({ onExcess: (excess) => excesses.push(excess) })
  history.listen(checker)
  const write = (number: number, value: boolean) =>
    history.begin({ robot: 0, action: 'write' }, [{ register: registers.recoveryCode('ann', number), value }])
  const left = (value: number) =>
    history.end(history.begin({ robot: 0, action: 'read' }), ok, [{ count: lists.recoveryCodes('ann'), value }])
  for (const number of [0, 1, 2]) history.end(write(number, true), ok)
  history.end(write(0, false), ok)
  history.end(write(1, false), { status: null, cause: 'ECONNRESET', requestId: null })
  left(2)
  left(1)
  t.same(checker.findings, [], 'a use without an answer may have happened')
  left(3)
  t.match(checker.findings, [{ rule: 'C', object: 'recoveryCodes:ann', expected: '1 to 2', seen: '3' }])
  t.same(excesses, [])
})
