/** @returns a function that says for each of `total` items whether it is in a sample of at most `most`, evenly spread */
export function sample(total: number, most: number): () => boolean {
  const every = Math.max(1, Math.ceil(total / most))
  let items = 0
  return () => items++ % every === 0
}
