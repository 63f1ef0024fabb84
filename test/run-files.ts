import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const files = process.argv.slice(2)
// tap puts all arguments into the name of a fixture's directory: with several files it would exceed 255 bytes.
process.argv.splice(3)
// The tests of all files run one after another in tap's root test.
for (const file of files) await import(pathToFileURL(resolve(file)).href)
