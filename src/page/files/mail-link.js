import { linkTo } from './routes.js'

/** @typedef {'reset' | 'verify'} LinkKind */

/** The tokens of the links from mails. They are kept in this tab until it is reloaded. @type {Map<string, string>} */
const tokens = new Map()

/** Takes the token of a link out of the address at once: the address bar is seen, copied and kept in the history. */
export function takeMailLink() {
  const [, kind, token] = /^#(reset|verify)=(.+)$/.exec(location.hash) ?? []
  if (!kind || !token) return
  tokens.set(kind, token)
  history.replaceState(null, '', kind === 'reset' ? linkTo.reset : linkTo.verify)
}

/** @param {LinkKind} kind */
export const tokenOf = (kind) => tokens.get(kind)

/** After it has served. @param {LinkKind} kind */
export const forgetToken = (kind) => tokens.delete(kind)
