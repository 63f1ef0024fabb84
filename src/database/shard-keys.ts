/** Without a `field`, the collection is not sharded. `asksAll`: the queries of every shard, by their first field. */
export type Sharding =
  | { field: string; by: 'hash' | 'range'; asksAll: Readonly<Record<string, string>> }
  | { field?: undefined }

const byHash = (field: string, asksAll: Readonly<Record<string, string>> = {}) =>
  ({ field, by: 'hash', asksAll }) as const

const whole = {}

/** Of every collection. test/database/sharding.test.ts holds each query and write of the code against this table. */
export const shardKeys: Readonly<Record<string, Sharding>> = {
  accountCounts: byHash('_id'),
  accounts: byHash('_id'),
  activity: byHash('account'),
  attempts: byHash('_id', { _id: 'an operator’s look at the failed logins of an account' }),
  audit: whole,
  credentials: byHash('_id', { 'password.pepper': 'the check of peppers at the start' }),
  devices: byHash('account'),
  emails: byHash('_id'),
  follows: byHash('from', { to: 'an account’s followers' }),
  idempotency: byHash('_id', { _id: 'the sweep of a deleted account' }),
  keys: whole,
  lastSeen: byHash('_id'),
  outbox: whole,
  passkeys: byHash('account'),
  posts: byHash('_id', {
    author: 'timelines; an account’s posts',
    replyTo: 'the replies to a post',
    root: 'the public list',
  }),
  reactionDays: whole,
  reactions: byHash('post', { account: 'an account’s reactions' }),
  removedAccounts: whole,
  removedPosts: byHash('_id', { sweptAt: 'the sweep of deleted posts' }),
  revocations: whole,
  secondFactors: byHash('_id', { 'totp.secret.key': 'the check of TOTP keys at the start' }),
  sessions: byHash('account'),
  throttle: byHash('_id'),
  usedChallenges: byHash('_id'),
  usernames: { field: '_id', by: 'range', asksAll: {} },
  versions: whole,
  writers: whole,
}
