import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from './config.ts'
import { StartError } from './start-error.ts'

/**
 * The variables of the process, and those of `.env` in the project's root if it is there; what is exported wins.
 *
 * @throws StartError when there is a `.env` that cannot be read.
 */
export function loadEnv(): Environment {
  try {
    return { ...parseEnv(readFileSync(new URL('../.env', import.meta.url), 'utf8')), ...process.env }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return process.env
    throw new StartError('There is a .env in the project’s root that cannot be read.')
  }
}
