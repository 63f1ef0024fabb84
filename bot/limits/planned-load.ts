import { activityOf } from '../people/activity.ts'
import { planDay } from '../people/itinerary.ts'
import type { Step } from '../people/steps.ts'
import type { CrowdSize } from '../plan.ts'

/** What a run sends within a window of the server's limits, at most or about: of one account, and of all together. */
export type PlannedLoad = { signUps: number; logins: number; changes: Load; reads: Load }

type Load = { ofAccount: number; ofAll: number }

const windowMs = 900_000
const readsPerStep = 5
const thinkTimeMs = 1_000
const changesOfRequests = 0.2

/** Sends no other request than reads. */
const isRead = ({ kind }: Step) => kind === 'browse' || kind === 'typo' || kind === 'trespass' || kind === 'return'
const logins: Partial<Record<Step['kind'], number>> = {
  ...{ device: 1, logout: 1, password: 1, reuse: 1, 'use codes': 4, 'remove factor': 1 },
}
/** Of a robot in a run without counts: four habits of ten log in, and each eighth robot uses a second factor. */
const loginsOfRobot = 1

type Run = { seed: number; size: CrowdSize; forMs?: number | undefined; ratePerSecond?: number | undefined }

export function plannedLoad({ seed, size, forMs, ratePerSecond }: Run): PlannedLoad {
  const { users } = size
  const signUps = users
  if (forMs === undefined) {
    const days = Array.from({ length: users }, (_, robot) => planDay(seed, robot, size))
    const changes = loadOf(days.map((day) => day.filter((step) => !isRead(step)).length))
    const reads = loadOf(days.map((day) => day.length * readsPerStep))
    return { signUps, logins: sum(days.flat().map(({ kind }) => logins[kind] ?? 0)), changes, reads }
  }
  const inWindowMs = Math.min(forMs, windowMs)
  const requests = ratePerSecond === undefined ? null : (ratePerSecond * inWindowMs) / 1000
  const ofAll =
    requests === null ? users * Math.ceil(inWindowMs / thinkTimeMs) : Math.ceil(requests * changesOfRequests)
  const changes = { ofAll, ofAccount: Math.ceil((ofAll / users) * activityOf(0, users)) }
  const reads = { ofAll: ofAll * readsPerStep, ofAccount: changes.ofAccount * readsPerStep }
  return { signUps, logins: users * loginsOfRobot, changes, reads }
}

function loadOf(counts: readonly number[]): Load {
  return {
    ofAccount: counts.reduce((most, count) => Math.max(most, count), 0),
    ofAll: sum(counts),
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0)
