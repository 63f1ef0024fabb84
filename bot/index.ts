import '../require-node.mjs'

// A static import would let an old Node.js fail on syntax before require-node.mjs can print its message.
const { main } = await import('./command.ts')
await main(process.argv.slice(2))
