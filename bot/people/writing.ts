import * as schemas from '../api-schemas.ts'
import type { Answer, Call, CallResult } from '../call.ts'
import { postText } from '../content.ts'
import type { Observation } from '../history/operation.ts'
import { lists, postOf, registers } from '../history/registers.ts'
import type { PostRef, Reaction } from '../plan.ts'
import { observePost } from './observe.ts'
import type { Robot } from './robot.ts'
import { readBody } from './session.ts'

/** Of the creations, one in twenty is sent twice, one in a hundred at the same moment. */
const twiceEvery = 20
const atOnceEvery = 100

/** Creates a post, or a reply if `parent` is given. Resolves to false if its parent does not exist. */
export async function createPost(robot: Robot, number: number, parent?: string): Promise<boolean> {
  const { directory, run, seed } = robot.context
  const { index } = robot.identity
  const post = postOf(robot.username, number)
  const replyTo = parent === undefined ? null : await directory.whenKnown(parent)
  if (parent !== undefined && replyTo === null) return false
  directory.announce(post, parent ?? null)
  const text = postText(seed, index, number)
  const call: Call = {
    ...{ action: parent ? 'reply' : 'post', method: 'POST', path: '/v1/posts', key: `${run}.${index}.${number}` },
    body: replyTo === null ? { text } : { text, replyTo },
    writes: [
      { register: registers.post(post), value: true, ...(parent && { parent }) },
      { register: registers.text(post), value: text },
    ],
    observe: (answer) => {
      if (answer.status === 201) return observePostIn(robot, answer)
      return answer.status === 400 && parent ? [{ register: registers.post(parent), value: false }] : []
    },
  }
  const nth = number + index * 7
  const times = nth % twiceEvery === 7 ? 2 : 1
  const sends: CallResult[] = nth % atOnceEvery === 57 ? await Promise.all([robot.send(call), robot.send(call)]) : []
  for (let n = sends.length; n < times; n += 1) sends.push(await robot.send(call))
  const isCreated = sends.some(({ status }) => status === 201)
  if (!isCreated) directory.giveUp(post)
  return isCreated
}

export async function editPost(robot: Robot, number: number, version: number): Promise<void> {
  const { directory, seed } = robot.context
  const post = postOf(robot.username, number)
  const id = directory.idOf(post)
  if (id === null) return
  const text = postText(seed, robot.identity.index, number, version)
  await robot.send({
    ...{ action: 'edit post', method: 'PATCH', path: `/v1/posts/${id}`, body: { text } },
    writes: [{ register: registers.text(post), value: text }],
    observe: (answer) =>
      answer.status === 200 ? observePostIn(robot, answer) : observeGone(answer, registers.post(post)),
  })
}

export async function deletePost(robot: Robot, number: number): Promise<void> {
  const post = postOf(robot.username, number)
  const id = robot.context.directory.idOf(post)
  if (id === null) return
  await robot.send({
    ...{ action: 'delete post', method: 'DELETE', path: `/v1/posts/${id}` },
    writes: [{ register: registers.post(post), value: false }],
    observe: (answer) => observeGone(answer, registers.post(post)),
  })
}

export async function react(robot: Robot, ref: PostRef & { key: string }, value: Reaction | null): Promise<void> {
  const id = robot.context.directory.idOf(ref.key)
  if (id === null) return
  const request = value === null ? { method: 'DELETE' as const } : { method: 'PUT' as const, body: { value } }
  await robot.send({
    ...{ action: value ?? 'remove reaction', path: `/v1/posts/${id}/reaction`, ...request },
    writes: [{ register: registers.reaction(robot.username, ref.key), value }],
    observe: (answer) => {
      const reacted = readBody(answer, 200, schemas.reacted)
      if (!reacted) return observeGone(answer, registers.post(ref.key))
      return [
        { register: registers.reaction(robot.username, ref.key), value: reacted.value },
        { count: lists.likes(ref.key), value: reacted.counts.likes },
        { count: lists.dislikes(ref.key), value: reacted.counts.dislikes },
        { count: lists.replies(ref.key), value: reacted.counts.replies },
      ]
    },
  })
}

export async function follow(robot: Robot, username: string, follows: boolean): Promise<void> {
  await robot.send({
    ...{ action: follows ? 'follow' : 'unfollow', method: follows ? 'PUT' : 'DELETE' },
    path: `/v1/accounts/${username}/follow`,
    writes: [{ register: registers.follow(robot.username, username), value: follows }],
    observe: (answer) => observeGone(answer, registers.account(username)),
  })
}

function observePostIn({ username, context: { directory } }: Robot, answer: Answer): Observation[] {
  const post = schemas.post.safeParse(answer.body).data
  return post ? observePost({ directory, account: username }, post, answer) : []
}

/** What a 404 says: the object does not exist. */
export const observeGone = ({ status }: Pick<Answer, 'status'>, register: string): Observation[] =>
  status === 404 ? [{ register, value: false }] : []
