import { glob, readFile } from 'node:fs/promises'
import t from 'tap'

type Failure = { code: string; message: string }
const { failureWords }: { failureWords: (failure: Failure) => string } = await import(
  new URL('../../src/page/files/failure-words.js', import.meta.url).href
)

const request = /\b(GET|POST|PUT|PATCH|DELETE) \//

/** The problems of the API whose detail names a request, each with its code. */
async function problemsWithRequests(): Promise<Failure[]> {
  const found: Failure[] = []
  for await (const path of glob('src/**/*.ts')) {
    const text = await readFile(path, 'utf8')
    for (const [, code = '', message = ''] of text.matchAll(/new Problem\(\s*'([a-z-]+)',\s*'([^']+)'/g))
      found.push({ code, message })
    for (const [, message = ''] of text.matchAll(/howToFindOut(?:: | = )'([^']+)'/g))
      found.push({ code: 'outcome-unknown', message })
    for (const [, message = ''] of text.matchAll(/secondFactorRequired\('([^']+)'\)/g))
      found.push({ code: 'second-factor-required', message })
  }
  return found.filter(({ message }) => request.test(message))
}

t.test('a detail that names a request is for programs: a person gets other words', async (t) => {
  const problems = await problemsWithRequests()
  const codes = new Set(problems.map(({ code }) => code))
  for (const code of [
    'unauthenticated',
    'confirmation-required',
    'not-found',
    'outcome-unknown',
    'second-factor-required',
  ])
    t.ok(codes.has(code), `${code} is found in the source`)
  const unknown = failureWords({ code: 'unheard-of', message: 'Send it as POST /v1/elsewhere.' })
  t.equal(unknown, 'The server refused this.')
  for (const problem of problems) {
    const words = failureWords(problem)
    t.notMatch(words, /\/v1|[A-Z]{3}/, problem.message)
    t.not(words, unknown, `${problem.code} has words of its own`)
  }
})

t.test('a detail that names no request is shown as it is', async (t) => {
  for (const message of ['The code is wrong, or has been used.', 'Get a post / a reply.', ''])
    t.equal(failureWords({ code: 'not-found', message }), message)
})
