/** An operation of the document. @property hasParameter - of its path */
export type Operation = { name: string; hasCursor: boolean; hasParameter: boolean; needsSession: boolean }

type Described = { security?: object[]; parameters?: { name: string }[] }

/** Every operation of an OpenAPI document, by method and path. */
export function operationsIn(document: { paths: Record<string, Record<string, Described>> }): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [], parameters = [] }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      hasCursor: parameters.some(({ name }) => name === 'cursor'),
      hasParameter: path.includes('{'),
      // One that a session is optional for lists "nothing" first.
      needsSession: security.length > 0 && security.every((each) => Object.keys(each).length > 0),
    })),
  )
}
