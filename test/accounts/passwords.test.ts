import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { makeClient, password as own, signUp as signUpClient, testServer } from '../helper.ts'

/** 40 characters that zxcvbn rates as strong. */
const strong = 'vexed 9 quartz; jumbo lynx whirl: pfg 42'

t.test('passwords', async (t) => {
  const { url } = await testServer(t)
  const signUp = async (password: unknown, username = `user_${randomBytes(6).toString('hex')}`) => {
    const { statusCode, body } = await makeClient(url).post('v1/accounts', { json: { username, password } })
    return { username, statusCode, body }
  }
  const login = async (username: string, password: unknown) =>
    makeClient(url).post('v1/session', { json: { username, password } })
  const refused = async (t: Test, password: unknown, username?: string) => {
    const { statusCode, body } = await signUp(password, username)
    const shown = JSON.stringify(password).slice(0, 60)
    t.equal(statusCode, 400, shown)
    t.match(body, { code: 'validation', errors: [{ pointer: '/body/password' }] })
    if (typeof password === 'string' && password.length > 4) t.notOk(JSON.stringify(body).includes(password), 'no echo')
  }

  t.test('a password has 15 to 256 code points after NFKC', async (t) => {
    const emoji = ['🦉', '🌍', '🎲', '🧲', '🥨', '🛶', '🧵', '🪁', '🦔', '🍄', '🚲', '🧊', '🪐', '🎻', '🧭']
    // zxcvbn rates any long text as strong, so the added spaces do not matter.
    const longest = `${strong}${' '.repeat(256 - strong.length)}`
    for (const fits of [strong.slice(0, 15), emoji.join(''), longest, `${longest.slice(0, -3)}ﬃ`]) {
      t.equal((await signUp(fits)).statusCode, 201, fits.slice(0, 20))
    }
    // After NFKC the ligature has three characters, and a letter with its accent has one.
    const decomposed = 'a\u0301e\u0301i\u0301o\u0301u\u0301xk9;q#vz2w'
    await refused(t, decomposed.normalize('NFC').slice(0, 14).normalize('NFD'))
    for (const password of [
      '',
      strong.slice(0, 14),
      emoji.slice(1).join(''),
      `${longest}x`,
      `${longest.slice(0, -2)}ﬃ`,
    ])
      await refused(t, password)
    for (const password of [null, 12345678901234567890n.toString().length, {}, [strong], true])
      await refused(t, password)
  })

  t.test('what is typed has 15 code points, too: U+FDFA is one, and 18 after NFKC', async (t) => {
    await refused(t, '\uFDFA')
    await refused(t, 'vexed \uFDFA')
    t.equal((await signUp(`\uFDFA${strong}`)).statusCode, 201)
  })

  t.test('a password that contains the username in any case or Unicode form is refused', async (t) => {
    await refused(t, `${strong} Kestrel`, 'kestrel')
    await refused(t, `${strong}KESTREL`, 'Kestrel')
    await refused(t, 'ｋｅｓｔｒｅｌ vexed quartz jumbo', 'kestrel')
    await refused(t, '\u212Aestrel vexed quartz jumbo', 'kestrel')
    await refused(t, `${strong} AnnSmith`, 'ann_smith')
    await refused(t, `${strong} ann-smith`, 'Ann__Smith')
    await refused(t, 'kеѕtrеl vexed quartz jumbo', 'kestrel')
    t.equal((await signUp(`${strong} kestre l`, 'kestrel')).statusCode, 201)
    t.equal((await signUp(`${strong} ab`, 'a_b')).statusCode, 201)
  })

  t.test('breached passwords, common phrases and the words of service and person are refused: 400', async (t) => {
    const blocked = ['maytheforcebewithyou', 'theresnoplacelikehome', 'cristianoronaldo7', 'welcometorookery']
    for (const password of [...blocked, 'ｃｒｉｓｔｉａｎｏｒｏｎａｌｄｏ７']) await refused(t, password)
    const json = { username: 'vexw', displayName: 'Quolbert Zimp', password: 'Quolbert Zimp 42' }
    const { body } = await makeClient(url).post('v1/accounts', { json })
    t.match(body, { errors: [{ pointer: '/body/password', detail: /^Must not consist of .*: use / }] })
    t.equal((await signUp('Quolbert Zimp 42')).statusCode, 201, 'another person’s')
  })

  t.test('a change to such a password is refused: 400 at newPassword', async (t) => {
    const { client } = await signUpClient(url)
    for (const newPassword of ['cristianoronaldo7', 'welcometorookery']) {
      const { statusCode, body } = await client.put('v1/account/password', {
        json: { currentPassword: own, newPassword },
      })
      t.equal(statusCode, 400)
      t.match(body, { errors: [{ pointer: '/body/newPassword' }] })
      t.notOk(JSON.stringify(body).includes(newPassword), 'no echo')
    }
  })

  t.test('a password that is quickly guessed is refused', async (t) => {
    const easy = ['123456789012345', 'qwertyuiopasdfgh', 'passwordpassword', 'aaaaaaaaaaaaaaa', 'abcdefghijklmnop']
    for (const password of [...easy, 'PasswordPassword', 'p4ssw0rdp4ssw0rd', 'ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ']) {
      await refused(t, password)
    }
    for (const password of ['poiuytrewqlkjhgf', 'рoiuytrеwqlkjhgf']) await refused(t, password)
  })

  t.test('long passwords: 256 random characters are accepted, 256 repeated ones refused', async (t) => {
    const random = randomBytes(192).toString('base64')
    t.equal(random.length, 256)
    t.equal((await signUp(random)).statusCode, 201)
    await refused(t, 'a'.repeat(256))
    t.equal((await signUp(`${'a'.repeat(32)}${strong}`)).statusCode, 201, 'a weak beginning does not matter')
    const around = (ends: string) => `${ends.repeat(64)}${random.slice(0, 93)}${ends.repeat(64)}`
    t.equal((await signUp(around('a'))).statusCode, 201, 'nor do weak ends')
  })

  t.test('every character counts, even after 72 bytes (bcrypt’s limit) and after a NUL', async (t) => {
    const pairs = [
      ['a difference after 72 bytes', `${strong}${strong}A`, `${strong}${strong}B`],
      ['a difference after a NUL', `${strong}\0A`, `${strong}\0B`],
      ['a NUL', `${strong}\0`, strong],
      ['the last of 256', `${strong}${'ü'.repeat(215)}A`, `${strong}${'ü'.repeat(215)}B`],
      ['white space at the end', strong, `${strong} `],
      ['case', strong, strong.toUpperCase()],
    ] as const
    for (const [name, password, other] of pairs) {
      const { username, statusCode } = await signUp(password)
      t.equal(statusCode, 201, name)
      t.equal((await login(username, password)).statusCode, 200)
      const wrong = await login(username, other)
      t.equal(wrong.statusCode, 401)
      t.match(wrong.body, { code: 'invalid-credentials' })
    }
  })

  t.test('passwords that are equal after NFKC are equal', async (t) => {
    const { username } = await signUp(`Caf\u00e9 \uFB03 \u2460 ${strong}`)
    for (const form of ['Cafe\u0301 ffi 1', 'Caf\u00e9 \uFB03 1', 'Ｃａｆ\u00e9 ffi \u2460']) {
      t.equal((await login(username, `${form} ${strong}`)).statusCode, 200, form)
    }
  })

  t.test(
    'an unpaired surrogate: 400 at sign-up, 401 at login, and never the U+FFFD that UTF-8 makes of it',
    async (t) => {
      await refused(t, `${strong}\uD800`)
      await refused(t, `\uDC00${strong}`)
      const { username, statusCode } = await signUp(`${strong}\uFFFD`)
      t.equal(statusCode, 201)
      for (const lone of ['\uD800', '\uDFFF']) {
        const { statusCode, body } = await login(username, `${strong}${lone}`)
        t.equal(statusCode, 401)
        t.match(body, { code: 'invalid-credentials' })
      }
      t.equal((await login(username, `${strong}\uFFFD`)).statusCode, 200)
    },
  )
})

t.test('PASSWORD_MIN_LENGTH lowers the minimum length, but not the required strength', async (t) => {
  const { url } = await testServer(t, { PASSWORD_MIN_LENGTH: '8' })
  const signUp = async (username: string, password: string) =>
    (await makeClient(url).post('v1/accounts', { json: { username, password } })).statusCode
  t.equal(await signUp('ann', 'vq7;kW2#'), 201)
  t.equal(await signUp('bob', 'vq7;kW2'), 400)
  t.equal(await signUp('cat', 'password'), 400)
})
