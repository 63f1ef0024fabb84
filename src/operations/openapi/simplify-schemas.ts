import type { Schema } from './document-types.ts'

/** For code generators: `anyOf: [X, null]` becomes `type: [X, "null"]`; no pattern repeats `format: date`. */
export function simplifySchemas<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, part]) => [key, simplifySchemas(part)])
  // The same keys with the same kinds of values.
  if (Array.isArray(value)) return entries.map(([, part]) => part) as Value
  return simplify(Object.fromEntries(entries)) as Value
}

function simplify(schema: Schema): Schema {
  if (schema.format === 'date') {
    const { pattern: _, ...rest } = schema
    return rest
  }
  const [first, second, ...others] = Array.isArray(schema.anyOf) ? schema.anyOf : []
  if (second?.type !== 'null' || typeof first?.type !== 'string' || others.length > 0) return schema
  const { anyOf: _, ...rest } = schema
  return { ...first, ...rest, type: [first.type, 'null'], ...(first.enum && { enum: [...first.enum, null] }) }
}
