import { StartError } from '../../start-error.ts'

export type Target = {
  id: string
  /** Its name for an error: an ARN contains the account's number. */
  name: string
  region: string | undefined
}

/** @throws StartError for an ARN that is not a secret's */
export function parseTarget(id: string): Target {
  if (!id.startsWith('arn:')) return { id, name: id, region: undefined }
  const [, region, name] = /^arn:aws[a-z-]*:secretsmanager:([^:]+):\d+:secret:([^:]+)$/.exec(id) ?? []
  if (region === undefined || name === undefined)
    throw new StartError(
      'The ARN is not one of a secret: it must be arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME.',
    )
  return { id, name, region }
}
