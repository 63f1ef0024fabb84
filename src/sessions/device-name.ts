/** The first that is found counts: most browsers also name those that they are compatible with. */
const browsers: readonly [RegExp, string][] = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\b(OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(Headless)?Chrom(e|ium)\/|\bCriOS\//, 'Chrome'],
  [/\bVersion\/.*\bSafari\//, 'Safari'],
]

/** Android also names Linux, and iOS Mac OS X. */
const systems: readonly [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'],
  [/\b(iPhone|iPad|iPod)\b/, 'iOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMacintosh\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
]

const maxProgramLength = 40

const find = (names: readonly [RegExp, string][], userAgent: string) =>
  names.find(([pattern]) => pattern.test(userAgent))?.[1]

/** The name of a new device, until its owner gives it another: `Firefox on Linux`, or that of a program such as `curl`. */
export function deviceNameOf(userAgent: string): string {
  const program = /^[!-~]+/.exec(userAgent.trim())?.[0].split('/', 1)[0]
  if (!program) return 'Unknown client'
  if (program !== 'Mozilla') return program.slice(0, maxProgramLength)
  const system = find(systems, userAgent)
  return `${find(browsers, userAgent) ?? 'Unknown browser'}${system ? ` on ${system}` : ''}`
}
