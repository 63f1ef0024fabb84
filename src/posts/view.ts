import type { Parts } from '../parts.ts'
import type { Post } from './store.ts'

/** Posts as `viewer` is shown them, with the authors' present names and the viewer's own reactions. */
export async function viewPosts(
  { accounts, reactions }: Pick<Parts, 'accounts' | 'reactions'>,
  posts: readonly Post[],
  viewer: string | undefined,
) {
  const [authors, values] = await Promise.all([
    accounts.authors(posts.map(({ author }) => author)),
    viewer === undefined
      ? undefined
      : reactions.valuesOf(
          viewer,
          posts.map(({ id }) => id),
        ),
  ])
  return posts.flatMap((post) => {
    const author = authors.get(post.author)
    return author ? [{ ...post, author, viewer: values ? { reaction: values.get(post.id) ?? null } : null }] : []
  })
}
