// Loaded before anything else, and plain JavaScript, so that an older Node can still say what is wrong.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    `Rookery needs Node.js 24 or later and this is ${process.version}: run "npm ci" with install scripts allowed (it brings Node 24 along), or install Node.js 24.\n`,
  )
  process.exit(1)
}
