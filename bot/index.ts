import '../require-node.mjs'

// The rest is loaded only once Node is known to be new enough to read it.
const { main } = await import('./command.ts')
await main(process.argv.slice(2))
