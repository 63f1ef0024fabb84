type NoticeText = { subject: string; what: string; advice: string }

const unlessYou = (steps: string) => `If it was you, there is nothing to do. If not, ${steps}.`
const takeBack = unlessYou('log in, change your password and end the other sessions')
// What a thief leaves behind stays after a change of the password.
const takeBackAddress = unlessYou(
  'log in at once, enter this address again, change your password and end the other sessions',
)
const askOperator = 'If you did not expect it, ask the operator of this service.'

/** The events of which an account is told by mail, by the names of its activity; those of a deletion have no activity. */
export const noticeTexts: Readonly<Record<string, NoticeText>> = {
  login: {
    subject: 'A new device logged in',
    what: 'A browser or program that was not known until now has logged in to your account.',
    advice: takeBack,
  },
  'password-changed': {
    subject: 'Your password was changed',
    what: 'The password of your account was changed, and all sessions have ended.',
    advice:
      'If it was you, there is nothing to do. If not, reset your password: the page to log in has a link for it. Then remove passkeys that you do not know.',
  },
  'password-reset': {
    subject: 'Your password was reset',
    what: 'The password of your account was reset with a link from a mail to this address, and all sessions have ended.',
    advice:
      'If it was you, remove passkeys that you do not know: a new password does not remove them. If not, another person reads your mail: secure the mailbox first, then reset your password again.',
  },
  'refresh-reused': {
    subject: 'A session was used from a copy',
    what: 'A session of your account was used from two places, as if its cookies had been copied. It has ended.',
    advice: 'Log in again, end the sessions that you do not know, and change your password.',
  },
  exported: {
    subject: 'Your data was exported',
    what: 'All data of your account was downloaded.',
    advice: takeBack,
  },
  suspended: {
    subject: 'Your account was suspended',
    what: 'The operator of this service has suspended your account: it cannot log in.',
    advice: askOperator,
  },
  'account-deleted': {
    subject: 'Your account was deleted',
    what: 'Your account and all of its content are deleted for good.',
    advice: askOperator,
  },
  'email-change-requested': {
    subject: 'Another e-mail address was entered',
    what: 'Another e-mail address was entered for your account. It replaces this one as soon as its link is used.',
    advice: takeBack,
  },
  'email-changed': {
    subject: 'Your e-mail address was replaced',
    what: 'Another e-mail address has replaced this one, which gets no more notices about your account.',
    advice: takeBackAddress,
  },
  'email-removed': {
    subject: 'Your e-mail address was removed',
    what: 'This e-mail address was removed from your account. It gets no more notices about your account.',
    advice: takeBackAddress,
  },
  'totp-enrolled': {
    subject: 'A second factor was added',
    what: 'An app for one-time codes was added to your account as a second factor.',
    advice: unlessYou('reset your password by mail, and ask the operator of this service to remove the app'),
  },
  'totp-removed': {
    subject: 'The second factor was removed',
    what: 'The app for one-time codes was removed from your account: a password alone logs in.',
    advice: takeBack,
  },
  'second-factor-failed': {
    subject: 'A wrong code was given after your password',
    what: 'The right password of your account was given, and then a wrong code of the second factor.',
    advice: 'If you mistyped the code, there is nothing to do. If not, another person knows your password: change it.',
  },
  'recovery-code-used': {
    subject: 'A recovery code was used',
    what: 'A recovery code was used to log in to your account. It works only once.',
    advice: takeBack,
  },
  'recovery-codes-replaced': {
    subject: 'New recovery codes were made',
    what: 'New recovery codes were made for your account. The earlier ones no longer work.',
    advice: unlessYou('log in, make new ones, change your password and end the other sessions'),
  },
  'factors-reset': {
    subject: 'Your second factor and passkeys were removed',
    what: 'The second factor, the recovery codes and the passkeys of your account were removed.',
    advice: askOperator,
  },
  'passkey-added': {
    subject: 'A passkey was added',
    what: 'A passkey was added to your account: it logs in without the password.',
    advice: unlessYou('log in, remove the passkey, change your password and end the other sessions'),
  },
  'passkey-removed': {
    subject: 'A passkey was removed',
    what: 'A passkey was removed from your account.',
    advice: takeBack,
  },
  'passkey-cloned': {
    subject: 'A passkey was refused',
    what: 'A passkey of your account was refused, because its counter went back, as if the passkey had been copied.',
    advice: 'Remove this passkey, and add a new one.',
  },
}
