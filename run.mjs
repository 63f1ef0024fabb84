// Runs a TypeScript program of the project: node run.mjs PROGRAM [ARGUMENT...]
import './require-node.mjs'
import module from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

// A start takes a quarter less CPU with what an earlier one has compiled. Where the folder is read-only, nothing is kept.
process.env.NODE_COMPILE_CACHE ??= resolve(import.meta.dirname, 'node_modules/.cache/compiled')
module.enableCompileCache?.()
const path = resolve(import.meta.dirname, process.argv[2])
process.argv.splice(1, 2, path)
// Awaited: Node exits with 13 if the program's top-level await never settles.
await import(pathToFileURL(path).href)
