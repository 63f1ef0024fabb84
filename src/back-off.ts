/** The delay before the next attempt after this many failures in a row, in milliseconds: 0, 100, 200, 400 … 5,000. */
export function backOffMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(5_000, 50 * 2 ** failures)
}
