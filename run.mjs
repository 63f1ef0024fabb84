// Runs a TypeScript program of the project: node run.mjs PROGRAM [ARGUMENT...]
// Plain JavaScript without top-level await: an old Node.js must parse it, so that the first import can refuse.
import './require-node.mjs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const path = resolve(import.meta.dirname, process.argv[2])
process.argv.splice(1, 2, path)
import(pathToFileURL(path).href)
