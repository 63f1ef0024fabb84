import { registerHooks } from 'node:module'

/**
 * tap follows every promise with async_hooks to learn which test an uncaught error belongs to. That takes a fifth of the
 * CPU time of these tests; without it, an uncaught error ends the process, and its file has failed.
 */
const withoutHooks = 'data:text/javascript,export class Domain { destroy() {} }'

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'async-hook-domain'
      ? { url: withoutHooks, format: 'module', shortCircuit: true }
      : next(specifier, context),
})
