import { Agent, request } from 'node:http'

/** Repeats a request on so many connections, which `stop` cuts; counts the answers by status. */
export function hammer(url: string, headers: Record<string, string>, connections: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const answers = new Map<number, number>()
  let isStopped = false
  const send = (): void => {
    if (isStopped) return
    const sent = request(url, { agent, headers }, (response) => {
      const { statusCode = 0 } = response
      answers.set(statusCode, (answers.get(statusCode) ?? 0) + 1)
      response.resume().once('close', send)
    })
    sent.on('error', () => undefined).end()
  }
  for (let n = 0; n < connections; n += 1) send()
  return {
    answers,
    stop: () => {
      isStopped = true
      agent.destroy()
    },
  }
}
