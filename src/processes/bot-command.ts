import { isLoopback } from '../http/public-origins.ts'

/** Quoted for a shell: zsh takes brackets for a pattern. */
export function botCommand(url: string): string {
  if (url === 'http://127.0.0.1:5000') return 'npx tsx bot'
  const quoted = url.includes('[') ? `'${url}'` : url
  return `npx tsx bot --url ${quoted}${isLoopback(new URL(url).hostname) ? '' : ' --yes-really'}`
}
