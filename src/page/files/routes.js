/** The addresses of the parts of the page. */
export const linkTo = {
  newest: '#/',
  timeline: '#/timeline',
  signUp: '#/sign-up',
  logIn: '#/log-in',
  forgotten: '#/forgotten',
  reset: '#/reset',
  verify: '#/verify',
  settings: '#/settings',
  security: '#/security',
  reactions: '#/reactions',
  /** @param {string} username */
  profile: (username) => `#/@${encodeURIComponent(username)}`,
  /** @param {string} username @param {'followers' | 'following'} list */
  accounts: (username, list) => `#/@${encodeURIComponent(username)}/${list}`,
  /** @param {string} id */
  post: (id) => `#/posts/${encodeURIComponent(id)}`,
}
