import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { stopParsing } from './stop-parsing.ts'
import { boundChunks } from './tiny-chunks.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

const maxPipelined = 100
/** Of their headers and bodies: 100 with headers of 16 KiB would hold 1.5 MB for each connection. */
const maxPipelinedBytes = 128 * 1024
/**
 * In memory, of one connection and of all together: the 500 of one address, with 100 requests of 440 tiny headers on each,
 * would hold more than a gigabyte. Hardly any client pipelines.
 */
const maxPipelinedMemory = { connection: 1024 * 1024, all: 8 * 1024 * 1024 }
/** What Node makes of a request and of each header, beside their text. */
const overheadBytes = { request: 4_096, header: 100 }

const methods = new Set(METHODS)

const bytesOf = ({ url = '', rawHeaders, headers }: IncomingMessage): number =>
  rawHeaders.reduce((bytes, { length }) => bytes + length, url.length + (Number(headers['content-length'] ?? 0) || 0))

const memoryOf = ({ rawHeaders }: IncomingMessage, bytes: number): number =>
  overheadBytes.request + (overheadBytes.header * rawHeaders.length) / 2 + bytes

type Pipelined = { requests: number; bytes: number; memory: number }

/**
 * Handles a connection's requests one after another (RFC 9112, 9.3.2), and none after a response that closes it (9.6).
 * Node would start all that have arrived, and buffer the responses of a client that does not read.
 * @param delayMsOf - for how long a request waits when its turn has come, in milliseconds
 * @param admit - may answer a request instead, before it waits
 */
export function handleInOrder(
  handle: Handler,
  delayMsOf: (request: IncomingMessage) => number,
  admit: (handle: Handler) => Handler,
): Handler {
  const pipelinedOn = new WeakMap<Socket, Pipelined>()
  let memoryOfAll = 0

  function addMemory(pipelined: Pipelined, bytes: number): void {
    pipelined.memory += bytes
    memoryOfAll += bytes
  }

  function pipelinedOf(socket: Socket): Pipelined {
    const known = pipelinedOn.get(socket)
    if (known) return known
    const pipelined = { requests: 0, bytes: 0, memory: 0 }
    pipelinedOn.set(socket, pipelined)
    socket.once('close', () => addMemory(pipelined, -pipelined.memory))
    return pipelined
  }

  /** One request can always wait on a connection, whatever waits on others. */
  const isTooMuch = ({ requests, bytes, memory }: Pipelined) =>
    requests > maxPipelined ||
    bytes > maxPipelinedBytes ||
    memory > maxPipelinedMemory.connection ||
    (requests > 1 && memoryOfAll > maxPipelinedMemory.all)

  const handleOfPresent: Handler = (request, response) => {
    if (request.socket.writable) handle(request, response)
  }
  const begin = admit((request, response) => {
    const delayMs = delayMsOf(request)
    if (delayMs === 0) handleOfPresent(request, response)
    else setTimeout(handleOfPresent, delayMs, request, response).unref()
  })
  /**
   * Not in the turn's poll phase: with over 1,024 busy connections Node repeats it up to 48 times. Their next requests
   * would be answered there, too, for half a minute, while every timer and whatever MongoDB has answered waits.
   */
  const start: Handler = (request, response) => void setImmediate(begin, request, response)
  return (request, response) => {
    // Node's parser accepts RTSP methods too, which cannot be registered with the router.
    if (!methods.has(request.method ?? '')) request.method = 'OPTIONS'
    // Node assigns the socket to one response at a time.
    if (response.socket !== null) {
      boundChunks(request)
      start(request, response)
      return
    }
    const { socket } = request
    const pipelined = pipelinedOf(socket)
    let isWaiting = true
    let bytes = 0
    let memory = 0
    function add(moreBytes: number, moreMemory: number): void {
      bytes += moreBytes
      memory += moreMemory
      pipelined.bytes += moreBytes
      addMemory(pipelined, moreMemory)
      if (isTooMuch(pipelined)) stopParsing(socket)
    }
    boundChunks(request, (length) => {
      if (isWaiting) add(length, length)
    })
    pipelined.requests += 1
    const textBytes = bytesOf(request)
    add(textBytes, memoryOf(request, textBytes))
    response.once('socket', () => {
      isWaiting = false
      pipelined.requests -= 1
      pipelined.bytes -= bytes
      addMemory(pipelined, -Math.min(memory, pipelined.memory))
      start(request, response)
    })
  }
}
