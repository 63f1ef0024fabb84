import { serializerCompiler as compileForZod } from 'fastify-type-provider-zod'

const texts = new WeakMap<object, string | undefined>()

/** Several replies will send this very object: it is serialized once. Do not mutate it. */
export function sendAlike<Body extends object>(body: Body): Body {
  texts.set(body, undefined)
  return body
}

/** Encodes a response by its schema, which drops what the schema does not name. */
export const serializerCompiler: typeof compileForZod = (route) => {
  const serialize = compileForZod(route)
  return (body) => {
    if (typeof body !== 'object' || body === null || !texts.has(body)) return serialize(body)
    const text = texts.get(body) ?? serialize(body)
    texts.set(body, text)
    return text
  }
}
