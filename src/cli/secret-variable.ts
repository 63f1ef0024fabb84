import { fileReader } from '../secrets/secret-file.ts'
import { StartError } from '../start-error.ts'

const readFile = fileReader()

/** The value of NAME, or of the file that NAME_FILE names. @throws StartError if both are set, or the file is no secret */
export async function readSecretVariable(name: string): Promise<string | undefined> {
  const { [name]: value, [`${name}_FILE`]: path } = process.env
  if (value && path) throw new StartError(`${name} and ${name}_FILE are both set: remove one of them`)
  return path ? readFile(`${name}_FILE`, path) : value || undefined
}
