/** The part of pino's logger that the embedded mongod uses. */
export type Logger = { info(message: string): void; warn(message: string): void; error(message: string): void }
