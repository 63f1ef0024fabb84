import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Options, readOptions } from '../../../bot/options/options.ts'
import { UsageError } from '../../../bot/options/parse.ts'
import { isLoopback, urlOf } from '../../../bot/options/server-url.ts'

function read(...args: string[]): Options {
  const requested = readOptions(args)
  if (requested.show !== null) throw new Error(`shows ${requested.show}`)
  return requested.options
}

t.test('without arguments every option has its default, and each run a seed of its own', async (t) => {
  const { url, seed, ...rest } = read()
  t.equal(url.href, 'http://127.0.0.1:5000/')
  t.ok(Number.isSafeInteger(seed))
  t.strictSame(rest, {
    ...{ robots: 10, posts: 5, replies: 3, follows: 5, reactions: 20, deletions: 10, expect: [] },
    alone: false,
    faults: false,
    'yes-really': false,
    isSeedGiven: false,
  })
  t.equal(read('--seed', '7').isSeedGiven, true)
  t.not(read().seed, read().seed, 'a new seed for each run')
})

t.test('the bounds of each option are accepted, and --users means --robots', async (t) => {
  t.match(read('--robots', '10000', '--posts=0', '--reactions', '0', '--seed', '9007199254740991'), {
    robots: 10_000,
    posts: 0,
    reactions: 0,
    seed: Number.MAX_SAFE_INTEGER,
  })
  t.equal(read('--users', '3').robots, 3)
  t.match(read('--only', 'read-post', '--rate', '500', '--for', '1.5m', '--ramp', '250ms', '--json', '-'), {
    ...{ only: 'read-post', rate: 500, for: 90_000, ramp: 250, json: '-' },
  })
})

t.test('help and version win over faults', async (t) => {
  for (const args of [['--help'], ['-h'], ['--colour', '--help', '--robots', '0']])
    t.strictSame(readOptions(args), { show: 'help' })
  t.strictSame(readOptions(['--robots', 'x', '--version']), { show: 'version' })
})

t.test('an invalid value throws a UsageError of one sentence that names the option', async (t) => {
  const cases: [string[], string][] = [
    [['--robots', '0'], '--robots'],
    [['--users', '10001'], '--users'],
    [['--robots', '1.5'], '--robots'],
    [['--robots', '1e3'], '--robots'],
    [['--robots', ''], '--robots'],
    [['--robots'], '--robots'],
    [['--robots', '1', '--users', '1'], '--users'],
    [['--posts', '-5'], '--posts'],
    [['--reactions=-5'], '--reactions'],
    [['--seed', 'abc'], '--seed'],
    [['--seed', '9007199254740993'], '--seed'],
    [['--url', 'here'], '--url'],
    [['--url', 'ftp://127.0.0.1'], '--url'],
    [['--url', 'http://a:b@127.0.0.1'], '--url'],
    [['--colour'], '--colour'],
    [['stray'], 'stray'],
    [['--yes-really=yes'], '--yes-really'],
    [['--expect', 'like p98<1ms'], '--expect "like p98<1ms" has the unknown metric p98'],
    [['--rate', '5'], '--rate'],
    [['--only', 'fly'], '--only'],
    [['--only', 'read-post', '--for', '20'], '--for'],
    [['--ca', '/does/not/exist'], '--ca'],
    [['--config', '/does/not/exist'], '--config'],
  ]
  for (const [args, name] of cases) {
    t.ok(thrown(() => read(...args)) instanceof UsageError, args.join(' '))
    t.throws(() => read(...args), { message: new RegExp(`^[^\\n]*${name}[^\\n]*\\.$`) }, args.join(' '))
  }
})

t.test('every fault is named at once', async (t) => {
  const args = ['--robots', '0', '--colour', '--seed', 'x', '--url', 'http://example.com', '--rate', '5', 'stray']
  t.throws(() => read(...args), {
    message: [
      "Unknown option '--colour'; see --help.",
      "Unexpected argument 'stray'; see --help.",
      '--url http://example.com is another machine; add --yes-really to send the robots there.',
      '--rate needs --only or --for.',
      '--robots must be an integer from 1 to 10000.',
      '--seed must be an integer from 0 to 9007199254740991.',
    ].join('\n'),
  })
})

t.test('a config file sets options, also by the names of the original task; flags win', async (t) => {
  const config = (content: unknown) => {
    const path = join(t.testdir(), 'bot.json')
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  const original = config({ number_of_users: 4, max_posts_per_user: 2, max_likes_per_user: 9, 'yes-really': true })
  t.match(read('--config', original), { robots: 4, posts: 2, reactions: 9, 'yes-really': true })
  t.match(read('--config', original, '--robots', '5'), { robots: 5, posts: 2 })
  t.match(read('--config', config({ expect: ['rate>1', 'errors<1%'] })).expect, [
    { text: 'rate>1' },
    { metric: 'errors' },
  ])

  const faulty = config({ number_of_users: 0, robots: 3, flights: 1, seed: true, 'yes-really': 1, posts: -1 })
  t.throws(() => read('--config', faulty), {
    message: new RegExp(
      [
        'bot.json: number_of_users and robots are the same option',
        'bot.json: flights is no option; see --help',
        'bot.json: seed must not be true or false',
        'bot.json: yes-really must be true or false',
        'bot.json: number_of_users must be an integer from 1 to 10000',
        'bot.json: posts must be an integer from 0 to 1000',
      ].join('\\.\\n.*'),
    ),
  })
  t.throws(() => read('--config', config('{')), { message: /^--config .*bot\.json is not valid JSON\.$/ })
  t.throws(() => read('--config', config('[]')), { message: /must hold a JSON object/ })
})

t.test('a path in the URL is a prefix of every request', async (t) => {
  for (const url of ['http://127.0.0.1:1/api', 'http://127.0.0.1:1/api/', 'http://127.0.0.1:1/api?x#y'])
    t.equal(urlOf(read('--url', url).url, '/v1/posts?limit=5').href, 'http://127.0.0.1:1/api/v1/posts?limit=5')
  t.equal(urlOf(read('--url', 'http://127.0.0.1:1').url, '/v1/posts').href, 'http://127.0.0.1:1/v1/posts')
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
    t.throws(() => read('--url', `http://${host}`), { message: /--yes-really/ })
    t.equal(read('--url', `http://${host}`, '--yes-really').url.hostname, new URL(`http://${host}`).hostname)
  }
})

function thrown(task: () => unknown): unknown {
  try {
    return task()
  } catch (error) {
    return error
  }
}
