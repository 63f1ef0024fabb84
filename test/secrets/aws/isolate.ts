import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/**
 * Removes from this process what a developer's machine or a cloud's says about AWS.
 * @returns a new home directory
 */
export async function isolateAws(t: Test): Promise<string> {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  const home = await mkdtemp(join(tmpdir(), 'rookery-aws-'))
  t.teardown(() => rm(home, { recursive: true, force: true }))
  process.env.HOME = home
  process.env.AWS_EC2_METADATA_DISABLED = 'true'
  return home
}

/** Sets variables of this process until the test ends. */
export function setVariables(t: Test, variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables)
  t.teardown(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
  })
}
