import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { parseSender } from '../../src/mail/config.ts'
import { external, faultsOf, production } from '../config/faults.ts'

const from = { MAIL_FROM: 'no-reply@rookery.example' }
const mailServerOf = async (SMTP_URL: string) =>
  (await readConfig({ ...external, ...from, SMTP_URL })).secrets.mailServer

t.test('SMTP_URL names the mail server; beyond loopback, TLS is required', async (t) => {
  t.same(await mailServerOf('smtp://mail.example'), {
    host: 'mail.example',
    port: 587,
    tls: 'starttls',
    auth: undefined,
  })
  t.same(await mailServerOf('smtps://a%40b:c%2Fd%25@mail.example:4650/'), {
    host: 'mail.example',
    port: 4650,
    tls: 'implicit',
    auth: { username: 'a@b', password: 'c/d%' },
  })
  t.match(await mailServerOf('smtps://mail.example'), { port: 465, tls: 'implicit' })
  for (const host of ['127.0.0.1', 'localhost', '[::1]'])
    t.match(await mailServerOf(`smtp://${host}:1025`), { host: host.replace(/[[\]]/g, ''), port: 1025, tls: 'none' })
  t.match(await mailServerOf('smtp://10.0.0.7:25'), { tls: 'starttls' })
})

t.test('a faulty SMTP_URL stops the start, and no fault shows a part of it', async (t) => {
  const secret = 'hunter2secret'
  const urls = [
    'mail.example',
    `http://me:${secret}@mail.example`,
    'smtp://',
    `smtp://me:${secret}/x@mail.example`,
    `smtp://me:${secret}@mail.example/inbox`,
    `smtp://me:${secret}@mail.example?tls=off`,
    `smtp://me:${secret}@mail.example#x`,
    `smtp://me:${secret}%@mail.example`,
    `smtp://${secret}@mail.example`,
    `smtp://:${secret}@mail.example`,
    `smtp://me:${secret}@mail.example:99999`,
    'vault:secret/mail#url',
  ]
  for (const SMTP_URL of urls) {
    const faults = await faultsOf(t, { ...external, ...from, SMTP_URL })
    t.equal(faults.length, 1, SMTP_URL)
    t.match(faults[0], /^SMTP_URL /)
    t.notMatch(faults[0], /hunter2|mail\.example/)
  }
})

t.test('how mails leave: by SMTP_URL, as files in development, not at all in production', async (t) => {
  t.match((await readConfig(external, '/a/project')).mail, { kind: 'folder', folder: '/a/project/.data/mail' })
  t.match((await readConfig(production)).mail, { kind: 'none' })
  const SMTP_URL = 'smtps://mail.example'
  for (const env of [external, production])
    t.match((await readConfig({ ...env, ...from, SMTP_URL })).mail, { kind: 'smtp', from: { address: from.MAIL_FROM } })
  t.match(await faultsOf(t, { ...production, SMTP_URL }), [/^MAIL_FROM is required with SMTP_URL/])
})

t.test('MAIL_FROM is an address, or a name and an address', async (t) => {
  t.same(parseSender('Rookery <no-reply@rookery.example>'), { name: 'Rookery', address: 'no-reply@rookery.example' })
  t.same(parseSender('Der Krähenbaum <a@b.example>'), { name: 'Der Krähenbaum', address: 'a@b.example' })
  t.same(parseSender('a@b.example'), { name: '', address: 'a@b.example' })
  for (const text of [
    'Rookery',
    'a@b.example\r\nBcc: c@d.example',
    'A\nB <a@b.example>',
    '<a@b>, <c@d>',
    'a@b@c',
    '"A" <a@b.example>',
  ])
    t.match(await faultsOf(t, { ...external, MAIL_FROM: text }), [/^MAIL_FROM must be an address/], text)
})
