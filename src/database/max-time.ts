/** For a read whose duration depends on the data: MongoDB ends it before the request's deadline (http/deadline.ts). */
export const boundedTime = { maxTimeMS: 4_500 } as const
