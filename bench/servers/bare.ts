import Fastify from 'fastify'
import { ObjectId } from 'mongodb'
import type { Connection } from '../../src/database/connection.ts'
import { connect } from './connect.ts'

type Post = { text: string; createdAt: Date }

/** A minimal server of posts: no log, no schema, no session; one call of the driver for each request. */
export async function bare(connection: Connection) {
  const { client, db } = await connect(connection)
  const posts = db.collection<Post>('posts')
  const app = Fastify()
  app.addHook('onClose', () => client.close())

  app.post<{ Body: { text: string } }>('/v1/posts', async (request, reply) => {
    const post = { text: request.body.text, createdAt: new Date() }
    const { insertedId } = await posts.insertOne(post)
    reply.code(201)
    return { id: insertedId, ...post }
  })

  app.get<{ Params: { id: string } }>('/v1/posts/:id', async (request, reply) => {
    const post = await posts.findOne({ _id: new ObjectId(request.params.id) })
    if (post) return post
    return reply.code(404).send()
  })

  app.get('/v1/posts', async () => ({ items: await posts.find().sort({ _id: -1 }).limit(20).toArray() }))

  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
}
