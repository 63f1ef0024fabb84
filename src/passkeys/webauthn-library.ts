/** Loaded at their first use: they take 27 MB and 0.2 s of CPU time, and a process may never verify a passkey. */
export const loadWebauthn = () => import('@simplewebauthn/server')
export const loadWebauthnHelpers = () => import('@simplewebauthn/server/helpers')
