import { el } from './dom.js'

export const usernameInput = () =>
  el('input', {
    name: 'username',
    autocomplete: 'username',
    autocapitalize: 'none',
    spellcheck: 'false',
    required: true,
  })
