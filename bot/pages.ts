type Page<Item> = { items: Item[]; nextCursor: string | null }

/** Collects a list, 100 items a page, up to a page that is null, the last, or holds an item with `isLast`. */
export async function readPages<Item>(
  readPage: (query: string) => Promise<Page<Item> | null>,
  isLast: (item: Item) => boolean = () => false,
): Promise<Item[]> {
  const items: Item[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page<Item> | null = await readPage(`limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
    if (page === null) break
    items.push(...page.items)
    cursor = page.items.some(isLast) ? null : page.nextCursor
  }
  return items
}
