import t from 'tap'
import { Checker } from '../../../bot/check/checker.ts'
import { openClients } from '../../../bot/client.ts'
import { Semaphore } from '../../../bot/concurrency.ts'
import { identity } from '../../../bot/content.ts'
import { postOf } from '../../../bot/history/registers.ts'
import { Measurements } from '../../../bot/load/measurements.ts'
import { Directory } from '../../../bot/people/directory.ts'
import { performHabit } from '../../../bot/people/habits.ts'
import { Robot } from '../../../bot/people/robot.ts'
import { createPost, deletePost } from '../../../bot/people/writing.ts'
import { testServer } from '../../helper.ts'
import { createRunContext } from '../run-crowd.ts'

t.test('a post that its author has deleted before another robot would trespass on it is no error', async (t) => {
  const { url } = await testServer(t)
  const { context } = createRunContext(url)
  const [checker, measurements] = [new Checker(), new Measurements()]
  context.history.listen(checker)
  context.history.listen(measurements)
  measurements.mayBeGone = (register) => checker.mayBeGone(register)
  const shared = {
    ...{ directory: new Directory(), stats: context.stats, authSlots: new Semaphore(1), run: 'trespass', seed: 1 },
    openClient: openClients(context),
  }
  const [author, other] = [0, 1].map((index) => new Robot(identity(1, index, 'trespass'), shared))
  if (!author || !other) throw new Error('no robots')
  await author.signUp()
  await other.signUp()
  await createPost(author, 0)
  await deletePost(author, 0)
  const victim = { author: 0, post: 0, key: postOf(author.username, 0) }
  await performHabit(other, 'trespass', { base: new URL(url), stop: context.stop, victim })
  measurements.stop()
  const { errors, total } = measurements.figures()
  t.strictSame(errors, [])
  t.ok(total.gone >= 1)
})
