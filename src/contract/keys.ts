/** Names for the members of a document, where only letters, digits and `. - _` may stand: each a single time. */
export class Keys {
  // A document is an object to whoever reads it, and this name is none of its members there.
  readonly #taken = new Set<string>(['__proto__'])

  /** @param wanted a route, a message type: it may come out shorter, or with a number */
  of(wanted: string): string {
    const plain = wanted.replace(/[^A-Za-z0-9_.-]+/g, '_').replace(/^_(?=.)|(?<=.)_$/g, '') || 'root'
    let key = plain
    for (let count = 2; this.#taken.has(key); count++) key = `${plain}-${count}`
    this.#taken.add(key)
    return key
  }
}

/** The address of a channel: `/rooms/:id` is `/rooms/{id}`, as RFC 6570 and AsyncAPI have it. */
export function addressOf(url: string): { readonly address: string; readonly parameters: readonly string[] } {
  const parameters: string[] = []
  const named = (name: string) => {
    parameters.push(name)
    return `{${name}}`
  }
  // find-my-way: two colons are one of the text; a parameter may have a pattern in brackets, and one level of them inside.
  const address = url.replace(
    /::|:([A-Za-z0-9_]+)(?:\((?:[^()]|\([^()]*\))*\))?\??|\*/g,
    (found, name: string | undefined) => (found === '::' ? ':' : named(name ?? 'wildcard')),
  )
  return { address, parameters }
}
