import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'

const threads = '/proc/self/task'
const skip = process.platform !== 'linux' && 'only Linux has priorities of threads'

/** The niceness of this process's threads, by their name: proc_pid_stat(5). */
async function niceness(name: string): Promise<number[]> {
  const ids = await readdir(threads)
  const stats = await Promise.all(ids.map((id) => readFile(`${threads}/${id}/stat`, 'utf8').catch(() => '')))
  const named = stats.filter((stat) => stat.includes(`(${name})`))
  return named.map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]))
}

t.test('once the server is ready, the threads that hash passwords yield to all others', { skip }, async (t) => {
  await testServer(t)
  const all = async () => new Set(await niceness('libuv-worker'))
  await eventually(async () => !(await all()).has(0))
  t.same(await all(), new Set([5]))
  const id = String(process.pid)
  const main = await readFile(`${threads}/${id}/stat`, 'utf8')
  t.equal(Number(main.slice(main.lastIndexOf(')') + 2).split(' ')[16]), 0)
})
