import type { ApiDocument, Operation } from './document-types.ts'

const sources = [
  { operationId: 'createAccount', status: '201', parameter: 'username', below: '/v1/accounts/', pointer: '/username' },
  { operationId: 'createPost', status: '201', parameter: 'id', below: '/v1/posts/', pointer: '/id' },
  { operationId: 'addPasskey', status: '201', parameter: 'id', below: '/v1/passkeys/', pointer: '/id' },
  { operationId: 'listPasskeys', status: '200', parameter: 'id', below: '/v1/passkeys/', pointer: '/items/0/id' },
  { operationId: 'listSessions', status: '200', parameter: 'id', below: '/v1/sessions/', pointer: '/items/0/id' },
]

/** Adds links: from what creates an account or a post to what can be done with it, and from a page to the next. */
export function addLinks({ paths }: ApiDocument): void {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, operation, ...operation })),
  )
  for (const { operationId: source, status, parameter, below, pointer } of sources) {
    const response = operations.find(({ operationId }) => operationId === source)?.operation.responses[status]
    if (!response) continue
    const targets = operations.filter(({ path }) => path.startsWith(`${below}{${parameter}}`))
    response.links = Object.fromEntries(
      targets.flatMap(({ operationId: target }) => {
        if (target === undefined) return []
        const parameters = { [parameter]: `$response.body#${pointer}` }
        return [[target, { operationId: target, description: `Takes the ${parameter}.`, parameters }]]
      }),
    )
  }
  for (const { operation } of operations) addNextPage(operation)
}

function addNextPage({ operationId, parameters = [], responses }: Operation): void {
  const page = responses['200']
  if (!page || operationId === undefined || !parameters.some(({ name }) => name === 'cursor')) return
  const nextPage = {
    operationId,
    description: 'The next page, unless nextCursor is null.',
    parameters: { cursor: '$response.body#/nextCursor' },
  }
  page.links = { ...page.links, nextPage }
}
