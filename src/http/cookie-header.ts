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
 * In the order of the header. Deliberately not RFC 2965's grammar: only `;` separates, even inside quotes, and other white
 * space belongs to the name. Otherwise another host of the site could hide our cookie in a value of its own, or plant one
 * despite `__Host-`.
 */
export function cookieValues(header: string | undefined, name: string): string[] {
  if (!header?.includes(name)) return []
  return header.split(';').flatMap((pair) => {
    const equals = pair.indexOf('=')
    if (equals === -1 || trimmed(pair.slice(0, equals)) !== name) return []
    return [unquoted(trimmed(pair.slice(equals + 1)))]
  })
}
