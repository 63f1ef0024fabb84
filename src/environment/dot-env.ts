import { parseEnv } from 'node:util'
import { StartError } from '../start-error.ts'

const notUtf8 =
  'The file .env in the project’s root is not in UTF-8: save it as UTF-8 (Notepad and PowerShell write UTF-16).'

/** With or without a BOM, and with any line ends. @throws StartError unless it is UTF-8 */
export function parseDotEnv(bytes: Uint8Array): NodeJS.Dict<string> {
  // UTF-16 without a BOM is valid UTF-8.
  if (bytes.includes(0)) throw new StartError(notUtf8)
  return parseEnv(decode(bytes).replaceAll(/\r\n?/g, '\n'))
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new StartError(notUtf8)
  }
}
