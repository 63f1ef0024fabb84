import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

// The tests of all files run one after another in tap's root test.
for (const file of process.argv.slice(2)) await import(pathToFileURL(resolve(file)).href)
