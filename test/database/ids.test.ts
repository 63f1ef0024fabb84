import t from 'tap'
import { newId, timeOf, toUuid } from '../../src/database/ids.ts'

t.test('5,000 ids of one process are unique and ascending, as text and as MongoDB stores them', async (t) => {
  const ids = Array.from({ length: 5_000 }, newId)
  t.same(ids.toSorted(), ids)
  t.equal(new Set(ids).size, ids.length)
  const asBytes = ids.toReversed().sort((a, b) => Buffer.compare(toUuid(a).buffer, toUuid(b).buffer))
  t.same(asBytes, ids)
  t.ok(ids.every((id) => toUuid(id).toString() === id))
})

t.test('an id is a UUIDv7 with its creation time', async (t) => {
  const before = Date.now()
  const id = newId()
  const after = Date.now()
  t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.ok(timeOf(id).getTime() >= before && timeOf(id).getTime() <= after)
  // The example of RFC 9562, A.6.
  t.equal(timeOf('017f22e2-79b0-7cc3-98c4-dc0c0c07398f').toISOString(), '2022-02-22T19:22:22.000Z')
})
