import t from 'tap'
import { testProperties } from './properties.ts'

testProperties(t, { runs: 5_000, seeds: 40 })
