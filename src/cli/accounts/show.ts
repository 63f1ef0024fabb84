import { activityStore } from '../../activity/store.ts'
import { credentialStore } from '../../credentials/store.ts'
import { accountCounters } from '../../limits/account-counters.ts'
import { throttleKey } from '../../limits/throttle-key.ts'
import type { Email } from '../../mail/emails.ts'
import { passkeyStore } from '../../passkeys/store.ts'
import { type SecondFactors, secondFactorStore } from '../../second-factor/store.ts'
import { deviceStore } from '../../sessions/devices.ts'
import { revocationCache } from '../../sessions/revocation-cache.ts'
import { sessionStore } from '../../sessions/store.ts'
import { type AccountCommand, counted } from './command.ts'

const maxListed = 50

/** Clients chose these texts: nothing in them may control the terminal or forge a line (CWE-117). */
const quoted = (text: string) =>
  JSON.stringify(text).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

const factorsText = ({ totp, recoveryCodesLeft }: SecondFactors) =>
  totp
    ? `authenticator app since ${totp.enrolledAt.toISOString()}, ${counted(recoveryCodesLeft, 'recovery code')} left`
    : 'none'
const emailState = ({ email, verifiedAt, pending }: Email) => {
  const verified = email && `${quoted(email)}, verified ${verifiedAt?.toISOString()}`
  return (
    [verified, pending && `${quoted(pending)}, not verified`].filter((state) => state !== null).join('; ') || 'none'
  )
}

/** What an operator needs to judge an account. No secret, no hash, nothing that it wrote. */
export const showCommand: AccountCommand = async ({ accounts, config, db, emails, notices }, target) => {
  const { id } = target
  const credentials = credentialStore(db)
  const position = { after: undefined, limit: maxListed }
  const [account, credential, lastLoginAt, email, sessions, devices, passkeys, factors, activity, failures] =
    await Promise.all([
      accounts.find(id),
      credentials.find(id),
      credentials.lastLoginAt(id),
      emails.find(id),
      sessionStore(db, revocationCache(db)).list(id, position),
      deviceStore(db).list(id),
      passkeyStore(db).list(id, position),
      secondFactorStore(db).find(id),
      activityStore(db, notices).list(id, { after: undefined, limit: 10 }),
      throttleKey(db, config.secrets.throttleKey).then((key) => accountCounters(db, target, key).list()),
    ])
  if (!account || !credential) return ['The account has been deleted.']
  const { counts } = account
  const { oneTime, suspendedAt } = credential
  const oneTimeState = oneTime && `one-time, ${oneTime.used ? 'used' : `valid until ${oneTime.until.toISOString()}`}`
  return [
    `username   ${account.username}`,
    `id         ${id}`,
    `created    ${account.createdAt.toISOString()}`,
    `state      ${suspendedAt ? `suspended since ${suspendedAt.toISOString()}` : 'active'}`,
    `password   ${oneTimeState ?? "the owner's"}`,
    `login      ${lastLoginAt?.toISOString() ?? 'never'}`,
    `email      ${emailState(email)}`,
    `content    ${counted(counts.posts, 'post')}, ${counted(counts.followers, 'follower')}, ${counts.following} followed`,
    `factors    ${factorsText(factors)}`,
    `failures   ${failures.map(({ limit, failures }) => `${failures} ${limit}`).join(', ') || 'none'}`,
    `devices    ${devices.length} known`,
    `passkeys   ${passkeys.length}`,
    `sessions   ${sessions.length} live`,
    ...sessions.map(
      ({ createdAt, lastSeenAt, ip, userAgent }) =>
        `  ${createdAt.toISOString()} last seen ${lastSeenAt.toISOString()} ${ip} ${quoted(userAgent)}`,
    ),
    'activity',
    ...activity.map(
      ({ at, event, ip, userAgent, count }) =>
        `  ${at.toISOString()} ${event}${count === undefined ? '' : ` (${count})`} ${ip} ${quoted(userAgent)}`,
    ),
  ]
}
