export const minimumSeries = '6.0'

export function parseVersion(output: string): string | undefined {
  return /db version v(\d+\.\d+\.\d+)/.exec(output)?.[1]
}

export function isSupported(version: string): boolean {
  return majorOf(version) >= majorOf(minimumSeries)
}

/** @see https://www.mongodb.com/docs/manual/reference/command/setFeatureCompatibilityVersion/ */
export function canOpenData(version: string, dataSeries: string | undefined): boolean {
  if (!dataSeries) return true
  const ahead = majorOf(version) - majorOf(dataSeries)
  return ahead === 0 || ahead === 1
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10)
}
