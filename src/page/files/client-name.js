/** The first that is found counts: most browsers also name those that they are compatible with. @type {[RegExp, string][]} */
const browsers = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\b(OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(Headless)?Chrom(e|ium)\/|\bCriOS\//, 'Chrome'],
  [/\bVersion\/.*\bSafari\//, 'Safari'],
]

/** Android also names Linux, and iOS Mac OS X. @type {[RegExp, string][]} */
const systems = [
  [/\bAndroid\b/, 'Android'],
  [/\b(iPhone|iPad|iPod)\b/, 'iOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMacintosh\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
]

const maxLength = 40

/** @param {[RegExp, string][]} names @param {string} userAgent */
const find = (names, userAgent) => names.find(([pattern]) => pattern.test(userAgent))?.[1]

/**
 * A user agent in words: `Firefox on Linux`, or the name of a program such as `curl`. What it says may be made up.
 * @param {string} userAgent
 */
export function clientName(userAgent) {
  const program = /^[^\s/]+/.exec(userAgent.trim())?.[0]
  if (program === undefined) return 'Unknown client'
  if (program !== 'Mozilla') return program.length > maxLength ? `${program.slice(0, maxLength)}…` : program
  const system = find(systems, userAgent)
  return `${find(browsers, userAgent) ?? 'Unknown browser'}${system ? ` on ${system}` : ''}`
}
