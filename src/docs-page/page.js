/* global SwaggerUIBundle */

const source = await (await fetch('/openapi.json')).text()
const { username, password } =
  JSON.parse(source).paths['/v1/accounts'].post.requestBody.content['application/json'].example

/** A username that is free, and a password that no document publishes. */
function personalise(text) {
  const random = [...crypto.getRandomValues(new Uint8Array(20))].map((byte) => (byte % 36).toString(36)).join('')
  return text.replaceAll(username, `robin_${random.slice(0, 6)}`).replaceAll(password, `page ${random.slice(6)}`)
}

const spec = JSON.parse(personalise(source))
const operations = Object.entries(spec.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

function valueAt(body, pointer) {
  return pointer
    .split('/')
    .slice(1)
    .reduce((value, key) => value?.[key], body)
}

/** Fills what a response names into the operations that its links lead to: the new post's id, for instance. */
function followLinks({ specActions }, path, method, { status, body }) {
  const links = spec.paths[path]?.[method]?.responses[status]?.links ?? {}
  for (const { operationId, parameters } of Object.values(links)) {
    const target = operations.find(({ operation }) => operation.operationId === operationId)
    for (const [name, expression] of Object.entries(parameters)) {
      const parameter = target?.operation.parameters.find((candidate) => candidate.name === name)
      const value = valueAt(body, expression.replace('$response.body#', ''))
      if (parameter && typeof value === 'string')
        specActions.changeParam([target.path, target.method], name, parameter.in, value, false)
    }
  }
}

const nothing = () => null

const rookery = {
  // No script can set an HttpOnly cookie, so there is nothing to authorise with; and there is one server.
  components: { authorizeBtn: nothing, authorizeOperationBtn: nothing, ServersContainer: nothing },
  statePlugins: {
    spec: {
      wrapActions: {
        setResponse: (original, system) => (path, method, response) => {
          followLinks(system, path, method, response)
          return original(path, method, response)
        },
      },
    },
  },
}

const dark = matchMedia('(prefers-color-scheme: dark)')
const applyTheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', applyTheme)
applyTheme()

SwaggerUIBundle({
  spec,
  dom_id: '#api',
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  plugins: [() => rookery],
})
