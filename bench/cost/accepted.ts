/** Requests that may exceed a bound. */
type Accepted = { operation?: RegExp; variant?: RegExp; reason: string }

export const accepted: readonly Accepted[] = [
  {
    variant: /^forged access cookies/,
    reason:
      'Of 37 forged tokens 16 are decoded and eight verified, because planted cookies must not hide the real one.',
  },
  {
    operation: /^GET \/v1\/(posts|accounts)/,
    reason: 'Many people share an address. Pages take turns by client and network, so those of others are made first.',
  },
  {
    operation: /^GET \/v1\/(timeline|analytics)/,
    reason: 'Reads of large accounts take turns by network and account, four at a time.',
  },
]

export const isAccepted = ({ operation, variant }: { operation: string; variant: string }): boolean =>
  accepted.some((each) => (each.operation?.test(operation) ?? true) && (each.variant?.test(variant) ?? true))
