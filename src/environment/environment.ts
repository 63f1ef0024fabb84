/** Environment variables, as load-env.ts reads them; an empty one counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>
