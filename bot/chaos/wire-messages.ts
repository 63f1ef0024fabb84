/** The name of a command: the first element's key in an OP_MSG message with one document. */
export const commandOf = (message: Buffer): string => message.subarray(26, message.indexOf(0, 26)).toString()

const stringType = 0x02

/** The collection of a command, such as update; undefined for one that names none. */
export function collectionOf(message: Buffer): string | undefined {
  if (message[25] !== stringType) return undefined
  const value = message.indexOf(0, 26) + 1
  return message.subarray(value + 4, value + 3 + message.readInt32LE(value)).toString()
}

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
