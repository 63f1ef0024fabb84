// Ends with npm run services, however that ends: its end of the pipe closes then.
process.stdin.once('close', () => process.kill(process.pid, 'SIGTERM')).resume()
await import('../src/main.ts')
