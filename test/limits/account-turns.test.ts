import t from 'tap'
import { newId } from '../../src/database/ids.ts'
import { accountTurn } from '../../src/limits/client-turn.ts'
import { readQueue } from '../../src/limits/read-queue.ts'

t.test('reads of many accounts of one network make an account of another wait for one of them only', async (t) => {
  const queue = readQueue(1)
  const { signal } = new AbortController()
  const served: string[] = []
  const read = (ip: string) =>
    queue(
      async () => {
        await new Promise(setImmediate)
        served.push(ip)
      },
      { ...accountTurn(ip, newId()), signal },
    )
  const many = Array.from({ length: 90 }, (_, n) => read(`203.0.113.${n}`))
  await read('198.51.100.7')
  t.ok(served.length <= 3, `served as number ${served.length}`)
  await Promise.all(many)
})
