/** The longest body of any route has four members. */
export const maxValues = 100

const [quote, backslash, comma, object, array] = Buffer.from('"\\,{[')

/**
 * Whether JSON has more than 100 members and items, at any depth. Found without parsing it: 16 KiB of them would take as
 * long as ten requests to parse, to validate and to free.
 */
export function hasTooManyValues(json: Uint8Array): boolean {
  let values = 0
  let isInString = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]
    if (isInString) {
      if (byte === backslash) at += 1
      else if (byte === quote) isInString = false
    } else if (byte === quote) isInString = true
    else if (byte === comma || byte === object || byte === array) values += 1
    if (values > maxValues) return true
  }
  return false
}
