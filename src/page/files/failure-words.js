/** What a person is told in place of a detail for programs, by the problem's code. @type {Map<string, string>} */
const words = new Map([
  ['confirmation-required', 'First confirm that it is you.'],
  ['not-found', 'It was used, has expired, or is no longer there: begin again.'],
  ['outcome-unknown', 'The server cannot say whether it happened: reload the page to see.'],
  ['password-change-required', 'First choose a password of your own: under Account.'],
  ['second-factor-required', 'The password is right. A code of your second factor is needed, too.'],
  ['unauthenticated', 'Log in first.'],
])

const request = /\b(GET|HEAD|POST|PUT|PATCH|DELETE) \//

/**
 * The words of a failure for a person. A detail that names a request, such as `POST /v1/session`, is for programs.
 * @param {{ code: string, message: string }} failure
 */
export const failureWords = ({ code, message }) =>
  request.test(message) ? (words.get(code) ?? 'The server refused this.') : message
