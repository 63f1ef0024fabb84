import type { z } from 'zod'
import type { AccountStore } from '../accounts/store.ts'
import { type PageQuery, type Position, pageFrom, positionOf } from '../http/pages.ts'
import { notFound } from '../http/problems.ts'
import type { ReactionStore } from '../reactions/store.ts'
import type { Post } from './model.ts'
import type { PostStore } from './store.ts'

type Authors = Pick<AccountStore, 'author'>

export type PostViewContext = { accounts: Authors; reactions: Pick<ReactionStore, 'valueOf'> }

export async function viewPosts(
  { accounts, reactions }: PostViewContext,
  posts: readonly Post[],
  viewer: string | undefined,
) {
  const views = posts.map(async (post) => {
    const [author, reaction] = await Promise.all([
      accounts.author(post.author),
      viewer === undefined ? undefined : reactions.valueOf(post.id, viewer),
    ])
    return author ? [{ ...post, author, viewer: viewer === undefined ? null : { reaction: reaction ?? null } }] : []
  })
  return (await Promise.all(views)).flat()
}

/** @throws Problem `not-found` when the author has been deleted. */
export async function viewPost(context: PostViewContext, post: Post, viewer: string | undefined) {
  const [view] = await viewPosts(context, [post], viewer)
  if (!view) throw notFound()
  return view
}

export async function viewPostPage(
  context: PostViewContext,
  list: string,
  query: z.infer<typeof PageQuery>,
  viewer: string | undefined,
  read: (position: Position) => Promise<Post[]>,
) {
  const position = positionOf(list, query)
  const { items, nextCursor } = pageFrom(list, position.limit, await read(position), ({ id }) => id)
  return { items: await viewPosts(context, items, viewer), nextCursor }
}

/** @throws Problem `not-found` unless the post and its author exist. */
export async function requirePost(
  { accounts, posts }: { accounts: Authors; posts: Pick<PostStore, 'find'> },
  id: string,
): Promise<void> {
  const post = await posts.find(id)
  if (!post || !(await accounts.author(post.author))) throw notFound()
}
