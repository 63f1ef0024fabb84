type Client = { address: string; network: string }

/** How much clients have in progress, by address and by network. */
export function clientCounts() {
  const counts = new Map<string, number>()

  function change({ address, network }: Client, difference: 1 | -1): void {
    for (const key of [address, network]) {
      const sum = (counts.get(key) ?? 0) + difference
      if (sum > 0) counts.set(key, sum)
      else counts.delete(key)
    }
  }

  return {
    add: (client: Client): void => change(client, 1),
    remove: (client: Client): void => change(client, -1),
    /** @param key - an address or a network */
    of: (key: string): number => counts.get(key) ?? 0,
  }
}
