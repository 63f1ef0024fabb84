// Runs a TypeScript program of the project: node run.mjs PROGRAM [ARGUMENT...]
import './require-node.mjs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const path = resolve(import.meta.dirname, process.argv[2])
process.argv.splice(1, 2, path)
// Awaited: Node exits with 13 if the program's top-level await never settles.
await import(pathToFileURL(path).href)
