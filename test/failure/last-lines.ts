import { readFile } from 'node:fs/promises'

/** The end of a program's log, for an error message: the log is deleted with its folder. */
export const lastLines = async (path: string): Promise<string> =>
  (await readFile(path, 'utf8').catch(String)).trimEnd().split('\n').slice(-20).join('\n')
