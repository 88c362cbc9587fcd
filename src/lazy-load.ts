import { createRequire } from 'node:module'

let load: ((name: string) => unknown) | undefined

/**
 * Loads a dependency at its first use, and once. An application whose routes declare no schema, no `bearer` and no `binary`
 * does not wait for ajv, jose and file-type at its start (`bench/import.ts`). Synchronous, because routes are compiled in
 * Fastify's `onRoute`, which cannot wait; nothing is looked up while this package itself is imported.
 *
 * @throws the error of Node's `require` for a package that is not installed beside this one
 */
export function lazyLoad<T>(name: string): () => T {
  let loaded: { readonly module: T } | undefined
  return () => {
    load ??= createRequire(import.meta.url)
    // The caller names the type of the module that it asks for, as an import would.
    loaded ??= { module: load(name) as T }
    return loaded.module
  }
}
