import t from 'tap'
import { serviceOf } from '../../gateway/paths.ts'
import { collections, views } from '../../src/collections.ts'
import { newId } from '../../src/database/ids.ts'
import { type ServiceName, serviceNames } from '../../src/services.ts'
import { freshDatabase, makeClient } from '../helper.ts'
import { startService, startServices } from './two-services.ts'

type Document = { paths: Record<string, Record<string, unknown>> }

const path = (template: string) => template.replace('{id}', newId()).replace('{username}', 'nobody')
const isShared = (template: string) => !template.startsWith('/v1/')

t.test('two services on one database', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const services = await startServices(t, { accounts: connection, posts: connection })
  const read = (service: ServiceName) => makeClient(services[service].url).get<Document>('openapi.json')
  const [document, other] = await Promise.all([read('accounts'), read('posts')])

  t.test('each describes the whole API', async (t) => {
    t.same(other.body, document.body)
    t.ok(document.body.paths['/v1/account'] && document.body.paths['/v1/posts'])
    for (const { url } of Object.values(services)) {
      for (const path of ['/docs', '/page/page.js']) {
        const page = await fetch(url + path)
        t.equal(page.status, 200, path)
      }
    }
  })

  t.test('each serves the routes that the gateway sends to it, and answers 404 for the other’s', async (t) => {
    for (const [template, operations] of Object.entries(document.body.paths)) {
      for (const service of serviceNames) {
        const isServed = isShared(template) || serviceOf(path(template)) === service
        for (const method of [...Object.keys(operations), 'options']) {
          const response = await fetch(services[service].url + path(template), { method: method.toUpperCase() })
          const what = `${service}: ${method} ${template} answers ${response.status}`
          if (!isServed) t.equal(response.status, 404, what)
          else if (method === 'options') t.equal(response.status, 405, what)
          else t.not(response.status, 405, what)
          if (isServed && !template.includes('{')) t.not(response.status, 404, what)
        }
      }
    }
  })

  t.test('together they create every collection and view', async (t) => {
    const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)
    t.same(names.sort(), [...Object.keys({ ...collections, ...views }), 'system.views'].sort())
  })
})

t.test('posts alone creates no collection of accounts', async (t) => {
  const { db, connection } = await freshDatabase(t)
  await startService(t, 'posts', connection)
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)
  const forbidden = [
    'credentials',
    'sessions',
    'devices',
    'secondFactors',
    'emails',
    'outbox',
    'activity',
    'attempts',
    'keys',
    'accounts',
    'usernames',
    'sessionOwners',
  ]
  t.same(
    names.filter((name) => forbidden.includes(name)),
    [],
  )
})
