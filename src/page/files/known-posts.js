import { onTabMessage } from './tabs.js'

/** @import { PostPatch, Reaction } from '../types.d.ts' */

/** @typedef {{ createdAt: string, reaction: Reaction | null, update(patch: PostPatch): void, remove(): void }} Shown */

/** What shows each post now. @type {Map<string, Set<Shown>>} */
const shown = new Map()

/** @param {string} id @param {Shown} view */
export function showsPost(id, view) {
  const views = shown.get(id) ?? new Set()
  shown.set(id, views.add(view))
}

/** @param {string} id @param {Shown} view */
export function showsNoMore(id, view) {
  const views = shown.get(id)
  views?.delete(view)
  if (views?.size === 0) shown.delete(id)
}

/** @param {string} id @returns {string | undefined} nothing if the post is not shown */
export const createdAtOf = (id) => [...(shown.get(id) ?? [])][0]?.createdAt

/** The reader's own, as it is shown. @param {string} id */
export const reactionOf = (id) => [...(shown.get(id) ?? [])][0]?.reaction ?? null

/** @param {string} id @param {PostPatch} patch */
export function updatePost(id, patch) {
  for (const view of shown.get(id) ?? []) view.update(patch)
}

/** @param {string} id */
export function removePost(id) {
  for (const view of [...(shown.get(id) ?? [])]) view.remove()
}

export function forgetPosts() {
  shown.clear()
}

onTabMessage((message) => {
  if (message.kind === 'post') updatePost(message.id, message.patch)
})
