// Plain JavaScript: an older Node.js must be able to run it.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    `Rookery needs Node.js 24 or later, but this is ${process.version}: run "npm ci" with install scripts allowed, which installs Node.js 24 as a dependency, or install Node.js 24.\n`,
  )
  process.exit(1)
}
