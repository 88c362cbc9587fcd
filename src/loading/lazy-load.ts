import { createRequire } from 'node:module'

let load: ((name: string) => unknown) | undefined

/**
 * Loads a dependency at its first use, and once. An application whose routes declare no schema, no `bearer` and no `binary`
 * does not wait for jose and file-type at its start (`bench/import.ts`). Synchronous, because routes are compiled in
 * Fastify's `onRoute`, which cannot wait; nothing is looked up while this package itself is imported.
 *
 * @param source the name of the package, in quotes; the build writes a `require` of it in its place
 * @throws the error of Node's `require` for a package that is not installed beside this one
 */
export function lazyLoad<T>(source: string | (() => unknown)): () => T {
  let loaded: { readonly module: T } | undefined
  return () => {
    // The caller names the type of the module that it asks for, as an import would.
    loaded ??= { module: (typeof source === 'string' ? required(source) : source()) as T }
    return loaded.module
  }
}

function required(name: string): unknown {
  load ??= createRequire(import.meta.url)
  return load(name)
}
