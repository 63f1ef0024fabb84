import t from 'tap'
import { testProperties } from './properties.ts'

testProperties(t, { runs: 150, seeds: 4 })
