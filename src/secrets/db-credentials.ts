import { z } from 'zod'

export type Credentials = { readonly username: string; readonly password: string }

// AWS's rotation functions write more members, such as the host and the port.
const Form = z.object({ username: z.string().min(1), password: z.string().min(1) })

/** Parses `{username, password}`, as AWS's rotation and Vault's database engine write it. Adds faults to `faults`. */
export function parseCredentials(text: string, faults: string[], variable = 'DB_CREDENTIALS'): Credentials | undefined {
  const parsed = Form.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  faults.push(`${variable} must be JSON with a username and a password: {"username": "…", "password": "…"}`)
  return undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
