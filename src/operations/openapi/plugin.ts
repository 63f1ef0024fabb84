import swagger, { type StaticDocumentSpec } from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import {
  type FastifyPluginAsyncZod,
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type FixedBody, fixedBody, sendFixed } from '../../http/fixed-body.ts'
import { NoContent, withAllResponses } from '../../http/responses.ts'
import { info, servers, tags } from './description.ts'
import type { ApiDocument } from './document-types.ts'
import { addHeaders } from './headers.ts'
import { addLinks } from './links.ts'
import { simplifySchemas } from './simplify-schemas.ts'

const Document = z.looseObject({ openapi: z.string(), paths: z.looseObject({}) })

type Options = {
  accessCookie: string
  /** Registers every route of the document with an instance that never serves one. Undefined: this one has them all. */
  describe: ((app: FastifyInstance) => Promise<void>) | undefined
}

/** The OpenAPI document. It can have more routes than this process serves. Register it before them. */
export const openapi = fp<Options>(async (app, { accessCookie, describe }) => {
  if (describe === undefined) {
    await app.register(fromSchemas, { accessCookie })
    return
  }
  const described = Fastify()
  described.setValidatorCompiler(validatorCompiler)
  described.setSerializerCompiler(serializerCompiler)
  await described.register(fromSchemas, { accessCookie })
  await describe(described)
  await described.ready()
  // The plugin serves the document as it is; its types lack OpenAPI 3.1 here.
  const document = described.swagger() as StaticDocumentSpec['document']
  await described.close()
  await app.register(swagger, { mode: 'static', specification: { document } })
})

const fromSchemas = fp<{ accessCookie: string }>(async (app, { accessCookie }) => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info,
      servers,
      tags,
      components: {
        securitySchemes: {
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: accessCookie,
            description: 'The access token, set when you log in.',
          },
        },
      },
    },
    transform: ({ schema, url, route, ...rest }) => {
      const complete = schema?.response && !schema.hide ? withAllResponses(schema, route) : schema
      return jsonSchemaTransform({ schema: complete, url, route, ...rest })
    },
    transformObject: (document) => {
      const described = jsonSchemaTransformObject(document)
      // Both plugins type a document of any version, with every part optional.
      const complete = simplifySchemas(described) as typeof described & ApiDocument
      const { schemas } = complete.components
      // Each shared schema is generated twice, for input and output; no request body refers to one.
      for (const name of Object.keys(schemas ?? {})) if (name.endsWith('Input')) delete schemas?.[name]
      addHeaders(complete)
      addLinks(complete)
      return complete
    },
  })
})

export const documentRoute: FastifyPluginAsyncZod = async (app) => {
  let body: Promise<FixedBody> | undefined
  app.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'readOpenApiDocument',
        summary: 'Read the OpenAPI document',
        tags: ['operations'],
        response: { 200: Document, 304: NoContent },
      },
      config: { responseHeaders: ['etag'] },
    },
    async (request, reply) => {
      body ??= fixedBody('application/json; charset=utf-8', Buffer.from(JSON.stringify(Document.parse(app.swagger()))))
      reply.header('cache-control', 'no-cache')
      return sendFixed(request, reply, await body)
    },
  )
}
