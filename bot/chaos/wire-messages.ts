/** The name of a command: the first element's key in an OP_MSG message with one document. */
export const commandOf = (message: Buffer): string => message.subarray(26, message.indexOf(0, 26)).toString()

/** Calls `handle` with each complete message of the MongoDB wire protocol. */
export function splitMessages(handle: (message: Buffer) => void): (chunk: Buffer) => void {
  let buffered = Buffer.alloc(0)
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk])
    while (buffered.length >= 4 && buffered.length >= buffered.readInt32LE(0)) {
      const message = buffered.subarray(0, buffered.readInt32LE(0))
      buffered = buffered.subarray(message.length)
      handle(message)
    }
  }
}
