import type { Db } from 'mongodb'
import type { z } from 'zod'
import { sharedQuery } from '../database/shared-query.ts'
import { turnReads } from '../database/turn-reads.ts'
import { type PageQuery, type Position, pageFrom, positionOf } from '../http/pages.ts'
import { sendAlike } from '../http/serializer.ts'
import { recentMap } from '../limits/recent-map.ts'
import type { Post } from './model.ts'
import { type Parts, type PostViewContext, readParts, viewPosts } from './view.ts'

type PageView = { items: Awaited<ReturnType<typeof viewPosts>>; nextCursor: string | null }

/** Pages of posts. One that several requests without a session ask for in one turn of the event loop is read once. */
export function postPages(db: Db, context: PostViewContext) {
  const pages = recentMap<readonly Pick<Post, 'id' | 'author'>[]>(200)
  const shared = sharedQuery<PageView>(turnReads(db).schedule)

  /** Of the posts that the page held the last time, so that they are read at the same time as the page. */
  function begin(page: string, viewer: string | undefined): Map<string, Parts> {
    const begun = new Map<string, Parts>()
    for (const post of pages.get(page) ?? []) {
      const parts = readParts(context, post, viewer)
      // Awaited only if the page still holds the post.
      parts.catch(() => undefined)
      begun.set(post.id, parts)
    }
    return begun
  }

  return {
    async read(
      list: string,
      query: z.infer<typeof PageQuery>,
      viewer: string | undefined,
      read: (position: Position) => Promise<readonly Post[]>,
    ): Promise<PageView> {
      const position = positionOf(list, query)
      const page = `${list} ${position.after} ${position.limit}`
      async function build(): Promise<PageView> {
        const begun = begin(page, viewer)
        const { items, nextCursor } = pageFrom(list, position.limit, await read(position), ({ id }) => id)
        pages.set(
          page,
          items.map(({ id, author }) => ({ id, author })),
        )
        return { items: await viewPosts(context, items, viewer, begun), nextCursor }
      }
      return viewer === undefined ? shared(page, async () => sendAlike(await build())) : build()
    },
  }
}

export type PostPages = ReturnType<typeof postPages>
