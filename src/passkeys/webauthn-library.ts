/** Loaded by preload.ts or at their first use: they take 27 MB and 0.2 s of CPU time, for which no start waits. */
export const loadWebauthn = () => import('@simplewebauthn/server')
export const loadWebauthnHelpers = () => import('@simplewebauthn/server/helpers')
