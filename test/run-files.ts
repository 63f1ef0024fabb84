import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

// Their tests queue up in tap's one root.
for (const file of process.argv.slice(2)) await import(pathToFileURL(resolve(file)).href)
