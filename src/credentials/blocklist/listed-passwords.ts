import { readFileSync } from 'node:fs'
import { bloomFilter } from './bloom-filter.ts'

const filter = bloomFilter(readFileSync(new URL('./listed-passwords.bin', import.meta.url)))

/** Shorter ones would forbid parts that mean nothing. */
export const listedLengthMin = 6

/** @param form - canonical */
export const isListed = (form: string): boolean => form.length >= listedLengthMin && filter.has(form)
