import type { AccountStore } from '../accounts/store.ts'
import { notFound } from '../http/problems.ts'
import type { ReactionStore } from '../reactions/store.ts'
import type { ReactionValue } from '../reactions/value.ts'
import type { Post } from './model.ts'
import type { PostStore } from './store.ts'

type Authors = Pick<AccountStore, 'author'>
export type PostViewContext = { accounts: Authors; reactions: Pick<ReactionStore, 'valueOf'> }
export type PostReadContext = PostViewContext & { posts: Pick<PostStore, 'find' | 'knownAuthor'> }

const viewerPart = (viewer: string | undefined, reaction: ReactionValue | undefined) =>
  viewer === undefined ? null : { reaction: reaction ?? null }

/** Undefined unless the post and its author exist. Everything is read at once where the author is known. */
export async function readPostView(
  { accounts, posts, reactions }: PostReadContext,
  id: string,
  viewer: string | undefined,
) {
  const known = posts.knownAuthor(id)
  const [post, knownAuthor, reaction] = await Promise.all([
    posts.find(id),
    known === undefined ? undefined : accounts.author(known),
    viewer === undefined ? undefined : reactions.valueOf(id, viewer),
  ])
  if (!post) return undefined
  const author = knownAuthor ?? (await accounts.author(post.author))
  return author && { ...post, author, viewer: viewerPart(viewer, reaction) }
}

/** What a view has beside the post itself. */
export const readParts = (
  { accounts, reactions }: PostViewContext,
  { id, author }: Pick<Post, 'id' | 'author'>,
  viewer: string | undefined,
) => Promise.all([accounts.author(author), viewer === undefined ? undefined : reactions.valueOf(id, viewer)])

export type Parts = ReturnType<typeof readParts>

export async function viewPosts(
  context: PostViewContext,
  posts: readonly Post[],
  viewer: string | undefined,
  begun: ReadonlyMap<string, Parts> = new Map(),
) {
  const views = posts.map(async (post) => {
    const [author, reaction] = await (begun.get(post.id) ?? readParts(context, post, viewer))
    return author ? [{ ...post, author, viewer: viewerPart(viewer, reaction) }] : []
  })
  return (await Promise.all(views)).flat()
}

/** @throws Problem `not-found` when the author has been deleted. */
export async function viewPost(context: PostViewContext, post: Post, viewer: string | undefined) {
  const [view] = await viewPosts(context, [post], viewer)
  if (!view) throw notFound()
  return view
}

/** @throws Problem `not-found` unless the post and its author exist. */
export async function requirePost(context: PostReadContext, id: string): Promise<void> {
  if (!(await readPostView(context, id, undefined))) throw notFound()
}
