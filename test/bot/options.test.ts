import t from 'tap'
import { isLoopback, readOptions, UsageError } from '../../bot/options.ts'

t.test('without arguments every option has its default, and each run a seed of its own', async (t) => {
  const { url, seed, ...rest } = readOptions([])
  t.equal(url.href, 'http://127.0.0.1:5000/')
  t.ok(Number.isSafeInteger(seed))
  t.strictSame(rest, {
    ...{ users: 10, posts: 5, replies: 3, follows: 5, reactions: 20, deletions: 10 },
    'yes-really': false,
    help: false,
    isSeedGiven: false,
  })
  t.equal(readOptions(['--seed', '7']).isSeedGiven, true)
  t.not(readOptions([]).seed, readOptions([]).seed, 'a new seed for each run')
})

t.test('the bounds of each option are accepted', async (t) => {
  t.match(readOptions(['--users', '10000', '--posts=0', '--reactions', '0', '--seed', '9007199254740991']), {
    users: 10_000,
    posts: 0,
    reactions: 0,
    seed: Number.MAX_SAFE_INTEGER,
  })
  t.ok(readOptions(['--help']).help)
})

t.test('an invalid value throws a UsageError of one sentence that names the option', async (t) => {
  const cases: [string[], string][] = [
    [['--users', '0'], '--users'],
    [['--users', '10001'], '--users'],
    [['--users', '1.5'], '--users'],
    [['--users', '1e3'], '--users'],
    [['--users', ''], '--users'],
    [['--users'], '--users'],
    [['--posts', '-5'], '--posts'],
    [['--reactions=-5'], '--reactions'],
    [['--seed', 'abc'], '--seed'],
    [['--seed', '9007199254740993'], '--seed'],
    [['--url', 'here'], '--url'],
    [['--url', 'ftp://127.0.0.1'], '--url'],
    [['--url', 'http://a:b@127.0.0.1'], '--url'],
    [['--colour'], '--colour'],
    [['stray'], 'stray'],
    [['--help=yes'], '--help'],
  ]
  for (const [args, name] of cases) {
    const read = () => readOptions(args)
    t.ok(thrown(read) instanceof UsageError, args.join(' '))
    t.throws(read, { message: new RegExp(`^[^\\n]*${name}[^\\n]*\\.$`) }, args.join(' '))
  }
})

t.test('a URL outside loopback needs --yes-really', async (t) => {
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '127.1', '[::1]', '[0:0:0:0:0:0:0:1]', '2130706433'])
    t.ok(isLoopback(new URL(`http://${host}:81`)), host)
  for (const host of [
    'example.com',
    '127.0.0.1.example.com',
    'localhost.example.com',
    '128.0.0.1',
    '0.0.0.0',
    '[::2]',
    '10.0.0.1',
  ]) {
    t.notOk(isLoopback(new URL(`http://${host}`)), host)
    t.throws(() => readOptions(['--url', `http://${host}`]), { message: /--yes-really/ })
    t.equal(readOptions(['--url', `http://${host}`, '--yes-really']).url.hostname, new URL(`http://${host}`).hostname)
  }
})

function thrown(task: () => unknown): unknown {
  try {
    return task()
  } catch (error) {
    return error
  }
}
