import { setTimeout as sleep } from 'node:timers/promises'
import got from 'got'
import { CookieJar } from 'tough-cookie'
import { randomPassword } from '../../../bot/content.ts'

type Page = { items: { id: string; author: { username: string } }[] }

/** Signs an account up that likes and answers every new post and follows its author, until `stop` is called. */
export async function startStranger(url: string) {
  const client = got.extend({ prefixUrl: url, cookieJar: new CookieJar(), retry: { limit: 0 } })
  const username = `stranger_${Date.now().toString(36)}`
  await client.post('v1/accounts', { json: { username, password: randomPassword() } })
  let [isOver, acts] = [false, 0]
  const act = async () => {
    while (!isOver) {
      const { items } = await client.get('v1/posts?limit=20').json<Page>()
      for (const { id, author } of items) {
        // What a robot deletes at this moment answers 404.
        const options = { throwHttpErrors: false }
        await client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' }, ...options })
        await client.post('v1/posts', { json: { text: 'A stranger replies.', replyTo: id }, ...options })
        await client.put(`v1/accounts/${author.username}/follow`, options)
        acts += 1
      }
      await sleep(20)
    }
  }
  const acting = act()
  return {
    /** Resolves to the number of posts that the stranger has visited. */
    async stop(): Promise<number> {
      isOver = true
      await acting
      return acts
    },
  }
}
