import { randomInt } from 'node:crypto'

/** On both sides of the server's deadlines if the bounds are. */
export const randomMs = (min: number, max: number): number => randomInt(min, max + 1)

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
