import type { Collection, CollectionOptions, Db, MongoClient } from 'mongodb'

/** Chooses the client of a call by its options, and the current one for a call without options. */
export type ChooseClient = (options?: unknown) => MongoClient

/** A database whose every call goes to the client that `choose` names; a cursor stays with its client. */
export function forwardingDatabase(name: string, choose: ChooseClient): Db {
  const databases = perClient((client) => client.db(name))
  const collections = new Map<string, Collection>()

  function collection(collectionName: string, options?: CollectionOptions): Collection {
    const known = options ? undefined : collections.get(collectionName)
    if (known) return known
    const opened = perClient((client) => databases(client).collection(collectionName, options))
    const created = forward((callOptions) => opened(choose(callOptions)))
    if (!options) collections.set(collectionName, created)
    return created
  }

  return forward((callOptions) => databases(choose(callOptions)), { collection })
}

function perClient<Value>(open: (client: MongoClient) => Value): (client: MongoClient) => Value {
  const opened = new WeakMap<MongoClient, Value>()
  return (client) => {
    const known = opened.get(client)
    if (known) return known
    const value = open(client)
    opened.set(client, value)
    return value
  }
}

function forward<Target extends object>(
  target: (options?: unknown) => Target,
  overrides: Readonly<Record<string, unknown>> = {},
): Target {
  const methods = new Map<PropertyKey, unknown>(Object.entries(overrides))

  const forwarding =
    (property: PropertyKey) =>
    (...args: unknown[]): unknown => {
      // The driver takes options last.
      const receiver = target(args.at(-1))
      // The same class as when it was read, and it was a function then.
      const method = Reflect.get(receiver, property) as () => unknown
      return Reflect.apply(method, receiver, args)
    }

  return new Proxy(target(), {
    get(_, property) {
      const known = methods.get(property)
      if (known) return known
      const value: unknown = Reflect.get(target(), property)
      if (typeof value !== 'function') return value
      const method = forwarding(property)
      methods.set(property, method)
      return method
    },
  })
}
