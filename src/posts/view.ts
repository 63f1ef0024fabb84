import type { Parts } from '../parts.ts'
import type { Post } from './document.ts'

/** Posts as `viewer` is shown them, with the authors' present names and the viewer's own reactions. */
export async function viewPosts(
  { accounts, reactions }: Pick<Parts, 'accounts' | 'reactions'>,
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
