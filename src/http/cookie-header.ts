const isBlank = (text: string, at: number) => text[at] === ' ' || text[at] === '\t'

/** Unlike `trim`, spaces and tabs only; unlike a regular expression, in linear time. */
function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text, start)) start += 1
  while (end > start && isBlank(text, end - 1)) end -= 1
  return text.slice(start, end)
}

const unquoted = (value: string) =>
  value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value

/**
 * In the order of the header; those shorter than `minLength` are left out. Deliberately not RFC 2965's grammar: only `;`
 * separates, even inside quotes, and other white space belongs to the name. Otherwise another host of the site could hide our
 * cookie in a value of its own, or plant one despite `__Host-`.
 */
export const cookieValues = (header: string | undefined, name: string, minLength = 0): string[] => [
  ...eachValue(header, name, minLength),
]

export const hasCookie = (header: string | undefined, name: string): boolean => !eachValue(header, name).next().done

function* eachValue(header: string | undefined, name: string, minLength = 0): Generator<string> {
  // Not `split`: a header of 16 KiB can have as many pairs, which would take 2 ms.
  for (const pair of pairsWith(header ?? '', name, minLength)) {
    const equals = pair.indexOf('=')
    if (equals === -1 || trimmed(pair.slice(0, equals)) !== name) continue
    const value = unquoted(trimmed(pair.slice(equals + 1)))
    if (value.length >= minLength) yield value
  }
}

/** Of 1,700 short pairs, a slice each would take as long as the rest of a request. */
function* pairsWith(header: string, text: string, minLength: number): Generator<string> {
  for (let at = header.indexOf(text); at !== -1; ) {
    const next = header.indexOf(';', at)
    const end = next === -1 ? header.length : next
    if (end - at > text.length + minLength) yield header.slice(header.lastIndexOf(';', at) + 1, end)
    at = header.indexOf(text, end)
  }
}
