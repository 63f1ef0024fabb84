import t from 'tap'
import { readOptions, UsageError } from '../../bench/options.ts'

const known = ['create', 'read', 'log-in']

t.test('npm run bench without options measures everything', async (t) => {
  const { names, peers, connections, seconds, rounds } = readOptions([], known)
  t.same(names, known)
  t.same(peers, ['flask', 'express', 'pocketbase', 'bare', 'constant', 'bcrypt', 'one-transaction'])
  t.equal(connections, undefined)
  t.same([seconds, rounds], [2, 5])
})

t.test('--quick is 16 connections without logins and rates, unless a scenario or a number is given', async (t) => {
  t.match(readOptions(['--quick'], known), {
    names: ['create', 'read'],
    connections: [16],
    seconds: 1,
    rounds: 1,
    rates: false,
  })
  const args = ['--quick', '--only', 'log-in', '--connections', '64', '--rounds', '3']
  t.match(readOptions(args, known), { names: ['log-in'], connections: [64], rounds: 3, rates: true })
})

t.test('--only and --peers can be repeated, and take the beginning of a name', async (t) => {
  const { names, peers } = readOptions(['--only', 'cr', '--only', 'read', '--peers', 'po', '--peers', 'ba'], known)
  t.same(names, ['create', 'read'])
  t.same(peers, ['pocketbase', 'bare'])
})

t.test('an option that means nothing is a usage error that names it', async (t) => {
  const faults: [args: string[], message: RegExp][] = [
    [['--only', 'delete'], /--only delete matches nothing/],
    [['--peers', 'rookery'], /--peers rookery matches nothing/],
    [['--connections', '17'], /--connections must be one of 1, 16, 64, 256/],
    [['--rounds', '0'], /--rounds must be a whole number from 1 to 9/],
    [['--fast'], /--fast/],
  ]
  for (const [args, message] of faults) {
    t.throws(() => readOptions(args, known), { constructor: UsageError, message }, args.join(' '))
  }
})
