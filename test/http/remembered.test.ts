import t from 'tap'
import { remembered } from '../../src/http/remembered.ts'

t.test('a value is made once, and after a failure again', async (t) => {
  let calls = 0
  const read = remembered(async () => {
    calls += 1
    if (calls === 1) throw new Error('EMFILE')
    return calls
  })
  await t.rejects(Promise.all([read(), read()]), { message: 'EMFILE' })
  t.equal(await read(), 2)
  t.equal(await read(), 2)
})
