import type { z } from 'zod'
import type { Parts } from '../context.ts'
import { type PageQuery, type Position, pageFrom, positionOf } from '../http/pages.ts'
import { notFound } from '../http/problems.ts'
import type { Post } from './model.ts'

type Options = Pick<Parts, 'accounts' | 'reactions'>

/**
 * Posts as `viewer` is shown them, with the authors' present names and the viewer's own reactions. Those of an account
 * that is no more are left out.
 */
export async function viewPosts({ accounts, reactions }: Options, posts: readonly Post[], viewer: string | undefined) {
  const views = posts.map(async (post) => {
    const [author, reaction] = await Promise.all([
      accounts.author(post.author),
      viewer === undefined ? undefined : reactions.valueOf(post.id, viewer),
    ])
    return author ? [{ ...post, author, viewer: viewer === undefined ? null : { reaction: reaction ?? null } }] : []
  })
  return (await Promise.all(views)).flat()
}

/** One post as a viewer is shown it. */
export async function viewPost(parts: Options, post: Post, viewer: string | undefined) {
  const [view] = await viewPosts(parts, [post], viewer)
  if (!view) throw notFound()
  return view
}

/** A page of a list of posts. */
export async function viewPostPage(
  parts: Options,
  list: string,
  query: z.infer<typeof PageQuery>,
  viewer: string | undefined,
  read: (position: Position) => Promise<Post[]>,
) {
  const position = positionOf(list, query)
  const { items, nextCursor } = pageFrom(list, position.limit, await read(position), ({ id }) => id)
  return { items: await viewPosts(parts, items, viewer), nextCursor }
}

/**
 * Makes sure that a post is there for everyone to see.
 * @throws Problem `not-found`.
 */
export async function demandPost({ accounts, posts }: Pick<Parts, 'accounts' | 'posts'>, id: string): Promise<void> {
  const post = await posts.find(id)
  if (!post || !(await accounts.author(post.author))) throw notFound()
}
