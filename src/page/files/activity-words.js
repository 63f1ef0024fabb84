const words = new Map([
  ['account-created', 'Account created'],
  ['login', 'Logged in'],
  ['login-failed', 'Wrong password at a login'],
  ['confirm-failed', 'Wrong password when asked once more'],
  ['second-factor-failed', 'Wrong code of the second factor'],
  ['logout', 'Logged out'],
  ['refresh-reused', 'Session ended: it was used from a copy'],
  ['session-revoked', 'Session ended from the list'],
  ['session-confirmed', 'Password entered once more'],
  ['password-changed', 'Password changed'],
  ['passkey-added', 'Passkey added'],
  ['passkey-removed', 'Passkey removed'],
  ['passkey-cloned', 'Passkey refused: it may have been copied'],
  ['totp-enrolled', 'Authenticator app added'],
  ['totp-removed', 'Authenticator app removed'],
  ['recovery-code-used', 'Recovery code used'],
  ['recovery-codes-replaced', 'New recovery codes'],
  ['factors-reset', 'Second factor removed by an operator'],
  ['exported', 'Data exported'],
  ['suspended', 'Account suspended by an operator'],
])

/** What happened to an account, for its owner. @param {string} event - of the API */
export const activityWords = (event) => words.get(event) ?? event.replaceAll('-', ' ')
