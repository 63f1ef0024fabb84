import { numeral, type Plan, requestAt } from './plan.ts'

/** A template in bytes, with the offset of its slot, or -1. */
function compile(template: string) {
  return { bytes: Buffer.from(template), at: template.search(/#+/) }
}

/** The bytes of a connection's nth request, in buffers that later calls reuse: call it when the last one has its response. */
export function requestsOf(plan: Plan, values: readonly string[]): (request: number) => Uint8Array {
  const templates = plan.templates.map(compile)
  return (request) => {
    const { template, value } = requestAt(plan, values.length, request)
    const { bytes, at } = templates[template] ?? {}
    if (!bytes || at === undefined) throw new Error(`no template ${template}`)
    if (at !== -1) bytes.write(values[value] ?? numeral(value), at, 'latin1')
    return bytes
  }
}
