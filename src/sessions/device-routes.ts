import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import { z } from 'zod'
import { inEditTurn, inSessionTurn, type KeyedMutex } from '../database/keyed-mutex.ts'
import type { Transact } from '../database/transaction.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { PageQuery, pageFrom, pageOf, positionOf } from '../http/pages.ts'
import { notFound } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { name } from '../http/text.ts'
import { Id, Time } from '../http/wire-types.ts'
import { assertConfirmed } from './assert-confirmed.ts'
import { requireConfirmation, requireViewer } from './auth-hooks.ts'
import type { SessionCookies } from './cookies.ts'
import type { DeviceStore } from './devices.ts'
import type { SessionStore } from './store.ts'

type Context = {
  cookies: SessionCookies
  devices: Pick<DeviceStore, 'delete' | 'deleteAll' | 'list' | 'rename'>
  mutex: KeyedMutex
  sessions: Pick<SessionStore, 'find' | 'isConfirmed' | 'touch'>
  transact: Transact
}

const DeviceView = z
  .object({
    id: Id,
    name: z.string().meta({ examples: ['Firefox on Linux'] }),
    current: z.boolean(),
    firstSeenAt: Time,
    firstIp: z.string().meta({ examples: ['203.0.113.7'] }),
    lastUsedAt: Time,
    trustedUntil: Time.nullable().describe('Until then, this browser logs in without a code.'),
  })
  .meta({ id: 'Device' })

const DevicePage = pageOf(DeviceView).meta({ id: 'DevicePage' })
const DeviceBody = z.strictObject({ name: name({ max: 50 }) }).meta({ examples: [{ name: 'The laptop at home' }] })
const DeviceParams = z.object({ id: Id })

const tags = ['sessions']

export const deviceRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { cookies, devices, mutex, sessions, transact } = context

  scope.get(
    '/devices',
    {
      schema: {
        operationId: 'listDevices',
        summary: 'List your devices',
        tags,
        querystring: PageQuery,
        response: { 200: DevicePage },
      },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const list = `devices:${account}`
      const { after, limit } = positionOf(list, request.query)
      // At most 20.
      const all = await devices.list(account, cookies.device(request))
      const rest = all.filter(({ id }) => after === undefined || id < after)
      return pageFrom(list, limit, rest.slice(0, limit + 1), ({ id }) => id)
    },
  )

  const howToFindOut = 'GET /v1/devices shows your devices.'

  scope.patch(
    '/devices/:id',
    {
      schema: {
        operationId: 'renameDevice',
        summary: 'Name a device',
        tags,
        params: DeviceParams,
        body: DeviceBody,
        response: { 200: DeviceView },
      },
      config: { howToFindOut },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const { id } = request.params
      const rename = (transaction: ClientSession) => devices.rename(account, id, request.body.name, transaction)
      const { outcome } = await withWriteDeadline(request, (deadline) =>
        inEditTurn(mutex, account, () => transact(rename, deadline)),
      )
      const renamed = (await devices.list(account, cookies.device(request))).find((device) => device.id === id)
      if (outcome === 'not-found' || !renamed) throw notFound()
      return renamed
    },
  )

  const afterConfirm = {
    preHandler: requireConfirmation(context),
    config: {
      countsForSession: true,
      responseHeaders: ['set-cookie'] as const,
      problems: ['confirmation-required'] as const,
      howToFindOut,
    },
  }

  scope.delete(
    '/devices/:id',
    {
      ...afterConfirm,
      schema: {
        operationId: 'forgetDevice',
        summary: 'Forget a device',
        description: 'The sessions of the device go on: end them as well if it is lost.',
        tags,
        params: DeviceParams,
        response: { 204: NoContent },
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account } = viewer
      const { id } = request.params
      const known = (await devices.list(account, cookies.device(request))).find((device) => device.id === id)
      const forget = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        return devices.delete(account, id, transaction)
      }
      const { outcome } = await withWriteDeadline(request, (deadline) =>
        inSessionTurn(mutex, viewer, () => transact(forget, deadline)),
      )
      if (outcome === 'not-found') throw notFound()
      if (known?.current) cookies.clearDevice(reply)
      return reply.code(204).send()
    },
  )

  scope.delete(
    '/devices',
    {
      ...afterConfirm,
      schema: {
        operationId: 'forgetDevices',
        summary: 'Forget all devices',
        description: 'Forgets this device, too. Sessions go on.',
        tags,
        response: { 204: NoContent },
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const forget = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        await devices.deleteAll(viewer.account, transaction)
      }
      await withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(forget, deadline)))
      cookies.clearDevice(reply)
      return reply.code(204).send()
    },
  )
}
