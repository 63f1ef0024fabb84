/** Where a secret manager keeps a secret: `vault:MOUNT/PATH#FIELD` or `aws-sm:NAME_OR_ARN#FIELD`. */
export type Reference = {
  manager: 'vault' | 'aws-sm'
  path: string
  /** Undefined: the whole secret. */
  field: string | undefined
}

export function parseReference(text: string): Reference | undefined {
  const [, manager, path, field] = /^(vault|aws-sm):(?!\/)([^#\s]+)(?:#(\S+))?$/.exec(text) ?? []
  if (path === undefined || (manager !== 'vault' && manager !== 'aws-sm')) return undefined
  return { manager, path, field }
}

/** Whether a secret's value is a reference to it by mistake. Such a value would work, and be no secret. */
export const looksLikeReference = (text: string): boolean => /^\s*(vault:|aws-sm:|arn:)/i.test(text)

/** The same for a URL. */
export const looksLikeUrl = (text: string): boolean => /^\s*[a-z][a-z\d+.-]*:\/\//i.test(text)
