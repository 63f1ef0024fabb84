import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'

/** Some seconds of full load, for a disk or a reader that stalls. */
const defaultMaxBytes = 8 * 1024 * 1024
/**
 * PIPE_BUF of Linux: a pipe takes up to so much completely or not at all, so that the lines of several processes are not cut
 * into each other.
 */
const maxChunkBytes = 4_096
/** Doubled by each failure in a row: a pipe of 64 KiB is soon empty again, a disk is not. */
const retryMs = { min: 4, max: 128 }
/** How long an exit waits for a reader that stalls. */
const maxExitMs = 2_000
const exitRetryMs = 10

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined)

type Target = { fd: number }

/** `process.stdout` has this if it is a socket; Node.js has no public method for it. */
type SocketTarget = { _handle?: { setBlocking?(isBlocking: boolean): void } }

/**
 * The start or exit of a child process makes the pipe or socket that it has inherited block for all that share it, and a
 * write that blocks delays the exit. A pipe can be opened again, for this process alone; a socket is reset before each write.
 */
function withoutBlocking(target: Target): { fd: number; canBlock: boolean; unblock(): void } {
  const { fd } = target
  const unblock = () => undefined
  try {
    const kind = fstatSync(fd)
    const { _handle } = target as SocketTarget
    if (kind.isSocket() && _handle?.setBlocking)
      return { fd, canBlock: false, unblock: () => _handle.setBlocking?.(false) }
    const again = () => openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
    return kind.isFIFO() ? { fd: again(), canBlock: false, unblock } : { fd, canBlock: true, unblock }
  } catch {
    // Not Linux, or no reader any more.
    return { fd, canBlock: true, unblock }
  }
}

/**
 * Writes log lines in the background, and tries again after a failure. What a full disk or a stalled reader leaves
 * waiting is bounded: later lines are lost, and an exit does not wait for it. pino's own output waits for ever.
 *
 * @param target - such as `process.stdout`
 */
export function logOutput(target: Target, { maxBytes = defaultMaxBytes } = {}) {
  const { fd, canBlock, unblock } = withoutBlocking(target)
  const chunks: string[] = []
  let lastChunkBytes = 0
  /** What is left of the chunk that is being written. */
  let rest = Buffer.alloc(0)
  let heldBytes = 0
  let lostLines = 0
  let state: 'idle' | 'writing' | 'waiting' | 'closed' = 'idle'
  let nextRetryMs = retryMs.min
  let tellLost = (_lines: number): void => undefined

  function takeChunk(): void {
    if (rest.length === 0) rest = Buffer.from(chunks.shift() ?? '')
  }

  function noteWritten(bytes: number): void {
    heldBytes -= bytes
    rest = rest.subarray(bytes)
  }

  function close(): void {
    state = 'closed'
    chunks.length = 0
  }

  function noteFailure(error: unknown): void {
    // The reader is gone.
    if (codeOf(error) === 'EPIPE') {
      close()
      return
    }
    state = 'waiting'
    setTimeout(writeNext, nextRetryMs).unref()
    nextRetryMs = Math.min(2 * nextRetryMs, retryMs.max)
  }

  /** @returns whether more waits */
  function noteSuccess(bytes: number): boolean {
    nextRetryMs = retryMs.min
    noteWritten(bytes)
    if (heldBytes > 0) return true
    state = 'idle'
    if (lostLines > 0) tellLost(lostLines)
    lostLines = 0
    return false
  }

  function writeNext(): void {
    if (canBlock) {
      state = 'writing'
      takeChunk()
      write(fd, rest, (error, bytes) => {
        if (error) noteFailure(error)
        else if (noteSuccess(bytes)) writeNext()
      })
      return
    }
    try {
      let isMore = heldBytes > 0
      while (isMore) {
        takeChunk()
        unblock()
        isMore = noteSuccess(writeSync(fd, rest))
      }
    } catch (error) {
      noteFailure(error)
    }
  }

  /** What cannot block is written at the end of the turn, all lines of it together. */
  function begin(): void {
    state = 'waiting'
    if (canBlock) writeNext()
    else setImmediate(writeNext)
  }

  function flush(): void {
    // Of a file. The process does not end before a write in progress has.
    if (state === 'writing') noteWritten(rest.length)
    const until = performance.now() + maxExitMs
    const pause = new Int32Array(new SharedArrayBuffer(4))
    while (heldBytes > 0 && state !== 'closed')
      try {
        takeChunk()
        unblock()
        noteWritten(writeSync(fd, rest))
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN' || performance.now() > until) return
        Atomics.wait(pause, 0, 0, exitRetryMs)
      }
  }

  process.once('exit', flush)
  return {
    write(line: string): void {
      if (state === 'closed') return
      const bytes = Buffer.byteLength(line)
      if (heldBytes + bytes > maxBytes) {
        lostLines += 1
        return
      }
      heldBytes += bytes
      if (chunks.length > 0 && lastChunkBytes + bytes <= maxChunkBytes) {
        chunks[chunks.length - 1] += line
        lastChunkBytes += bytes
      } else {
        chunks.push(line)
        lastChunkBytes = bytes
      }
      if (state === 'idle') begin()
    },

    /** Called once all that waited is written, if lines were lost. */
    onLost(listener: (lines: number) => void): void {
      tellLost = listener
    },
  }
}
