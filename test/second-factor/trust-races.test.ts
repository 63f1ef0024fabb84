import t from 'tap'
import { eventually } from '../eventually.ts'
import { faultyServers } from '../fixtures/faulty-servers.ts'
import { makeClient, signUp } from '../helper.ts'
import { confirm, enrol, firstStep, secondStep } from './authenticator.ts'

type Client = ReturnType<typeof makeClient>

/** Less than a transaction may take. */
const holdMs = 2_500

t.test(
  'a login without a code, of a browser that ceases to be trusted at another server, begins no session',
  async (t) => {
    const { proxy, first, second } = await faultyServers(t)

    /** Ends the trust while the login is in progress. Where the machine is too busy for that, another account does it once more. */
    async function endBeside(end: (client: Client, device: string) => Promise<{ statusCode: number }>) {
      for (;;) {
        const { client, username } = await signUp(second)
        const { recoveryCodes } = await enrol(client)
        const trusted = makeClient(first)
        await firstStep(trusted, username)
        await secondStep(trusted, { recoveryCode: recoveryCodes[0], trustDevice: true })
        await confirm(client, { recoveryCode: recoveryCodes[1] })
        const { items } = (await client.get<{ items: { id: string; trustedUntil: string | null }[] }>('v1/devices'))
          .body
        const device = items.find(({ trustedUntil }) => trustedUntil !== null)?.id ?? ''
        const fault = proxy.arm({ command: 'findAndModify', collection: 'credentials', effect: { holdMs } })
        const sentAt = performance.now()
        const login = firstStep(trusted, username)
        await eventually(() => fault.happened() === 1)
        const ended = await end(client, device)
        const isInTime = performance.now() - sentAt < holdMs
        const answer = await login
        if (ended.statusCode === 204 && isInTime) return { answer, trusted, recoveryCode: recoveryCodes[2] }
      }
    }

    t.test('forgotten', async (t) => {
      const { answer, trusted, recoveryCode } = await endBeside((client, device) =>
        client.delete(`v1/devices/${device}`),
      )
      t.match(answer, { statusCode: 401, body: { code: 'second-factor-required' } })
      t.equal((await secondStep(trusted, { recoveryCode })).statusCode, 200, 'with a code, the login goes on')
    })

    t.test('with all others', async (t) => {
      const { answer } = await endBeside((client) => client.delete('v1/devices'))
      t.match(answer, { statusCode: 401, body: { code: 'second-factor-required' } })
    })
  },
)
