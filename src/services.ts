/** The parts of the API that can run as separate services, of the same program and on one database. */
export const serviceNames = ['accounts', 'posts'] as const

export type ServiceName = (typeof serviceNames)[number]

/** What one program serves: at least one service. */
export type Services = readonly ServiceName[]
