/** Where the embedded MongoDB tells its owner what it does; pino's logger is one. */
export type Logger = { info(message: string): void; warn(message: string): void; error(message: string): void }
