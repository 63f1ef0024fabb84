/**
 * A command that runs node without what tap adds to it, by `NODE_OPTIONS`, in every process below a test: that costs
 * each one half a second. `env` becomes what it runs, so the pid is node's. With `--coverage` tap may look on.
 */
export function nodeCommand(args: readonly string[], node = process.execPath): [string, string[]] {
  if (process.env.TEST_COVERAGE) return [node, [...args]]
  return ['env', ['NODE_OPTIONS=', node, ...args]]
}
