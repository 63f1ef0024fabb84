import { z } from 'zod'
import type { SecondFactor } from '../api-schemas.ts'
import type { Answer } from '../client.ts'
import { numberOf } from '../content.ts'
import type { ListItem, Observation } from '../history/operation.ts'
import { lists, postOf, registers } from '../history/registers.ts'
import { observeSecondFactor } from './observe-second-factor.ts'
import type { Robot } from './robot.ts'

const named = z.object({ username: z.string() }).nullish()
const record = z.discriminatedUnion('type', [
  z.object({ type: z.literal('post'), id: z.string(), text: z.string() }),
  z.object({ type: z.literal('reaction'), post: z.string(), value: z.enum(['like', 'dislike']) }),
  z.object({ type: z.literal('following'), account: named }),
  z.object({ type: z.literal('follower'), account: named }),
  z.object({ type: z.literal('totp'), recoveryCodesLeft: z.int() }),
])

/** Reads the robot's export and observes what it says about posts, reactions, follows and the second factor. */
export async function readExport(robot: Robot): Promise<void> {
  const call = { action: 'export', method: 'GET', path: '/v1/account/export' } as const
  const result = await robot.session.client.send({ ...call, observe: (answer) => observeExport(robot, answer) })
  robot.tally.count('exported', result, 200)
  robot.session.recordOrGiveUp(call, result, result.status === 200)
}

function observeExport(
  { username, identity, context: { directory } }: Robot,
  { status, body, sentAt }: Answer,
): Observation[] {
  if (status !== 200 || typeof body !== 'string') return []
  const lines = body.trimEnd().split('\n')
  const object = `the export of ${username}`
  const end = lines.pop() ?? ''
  const claim: Observation = { claim: 'E', object, expected: '{"end":true}', seen: end, holds: end === '{"end":true}' }
  let secondFactor: SecondFactor = { totp: null, recoveryCodesLeft: 0 }
  const records = lines.flatMap((line) => record.safeParse(JSON.parse(line)).data ?? [])
  const found: Observation[] = [claim]
  const items = {
    posts: [] as ListItem[],
    given: [] as ListItem[],
    following: [] as ListItem[],
    followers: [] as ListItem[],
  }
  for (const one of records) {
    if (one.type === 'post') {
      const number = numberOf(one.text)
      const key = directory.nameOf(one.id) ?? (number === null ? `${username}/${one.id}` : postOf(username, number))
      items.posts.push({ key })
      found.push({ register: registers.text(key), value: one.text })
    } else if (one.type === 'reaction') {
      const key = directory.nameOf(one.post) ?? one.post
      items.given.push({ key })
      found.push({ register: registers.reaction(username, key), value: one.value })
    } else if (one.type === 'totp') secondFactor = { totp: {}, recoveryCodesLeft: one.recoveryCodesLeft }
    else if (one.account) items[one.type === 'follower' ? 'followers' : 'following'].push({ key: one.account.username })
  }
  if (identity.app) found.push(...observeSecondFactor(username, secondFactor))
  for (const list of ['posts', 'given', 'following', 'followers'] as const)
    found.push({ list: lists[list](username), items: items[list], since: sentAt, complete: true })
  return found
}
