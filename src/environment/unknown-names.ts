/** What `.env` may contain beside the server's own variables: for npm run roles, and for the compose files. */
const namesOfOthers = [
  'ACCOUNTS_DB_PASSWORD',
  'ADMIN_DB_CREDENTIALS',
  'ADMIN_DB_CREDENTIALS_FILE',
  'BACKUP_DB_PASSWORD',
  'GRAFANA_IMAGE',
  'GRAFANA_PASSWORD',
  'JWT_PUBLIC_KEYS',
  'MEMORY_LIMIT',
  'MONGODB_IMAGE',
  'MONGODB_MEMORY_LIMIT',
  'NGINX_IMAGE',
  'NODE_IMAGE',
  'POSTS_DB_PASSWORD',
  'PROMETHEUS_IMAGE',
  'SECRETS_DIR',
  'TLS_DIR',
]

/** Families of names that have more members than the server reads. */
const familiesOfOthers = /^(AWS|OTEL|VAULT)_/
const familyOfCompose = /^COMPOSE_/

/** One fault for each name in `.env` that nothing reads. */
export function unknownNameFaults(dotEnvNames: readonly string[], known: readonly string[]): string[] {
  const all = new Set([...known, ...namesOfOthers])
  return dotEnvNames
    .filter((name) => !all.has(name) && !familyOfCompose.test(name))
    .map((name) => {
      const nearest = nearestName(name, known)
      return `${name} in .env is not a variable of Rookery: ${nearest ? `did you mean ${nearest}?` : 'remove it, or export it for other programs'}`
    })
}

/** Exported names that are nearly one of the server's. Short names, and names without `_`, are too often of others. */
export function nearMisses(exported: readonly string[], known: readonly string[]): { name: string; nearest: string }[] {
  const all = new Set([...known, ...namesOfOthers])
  return exported
    .filter((name) => !all.has(name) && !familiesOfOthers.test(name))
    .flatMap((name) => {
      const nearest = nearestName(name, known)
      return nearest?.includes('_') ? [{ name, nearest }] : []
    })
}

/** The known name that differs in case only, or in one letter of each four. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((other) => ({ other, distance: editDistance(name.toUpperCase(), other) }))
  const [nearest] = distances
    .filter(({ other, distance }) => distance <= Math.min(2, other.length / 4))
    .sort((a, b) => a.distance - b.distance)
  return nearest?.other
}

/** Insertions, deletions, replacements and exchanges of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: readonly number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isExchanged = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const exchanged = isExchanged ? at(beforeLast, j - 2) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(replaced, exchanged, at(last, j) + 1, at(row, j - 1) + 1))
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

const at = (row: readonly number[], index: number) => row[index] ?? Number.POSITIVE_INFINITY
