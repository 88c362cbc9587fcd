import { createRequire } from 'node:module'

let load: NodeJS.Require | undefined

/**
 * Loads a dependency at its first use, and once. An application whose routes declare no schema, no `bearer` and no `binary`
 * does not wait for jose and file-type at its start (`bench/import.ts`). Synchronous, because routes are compiled in
 * Fastify's `onRoute`, which cannot wait; nothing is looked up while this package itself is imported.
 *
 * @param names of one and the same module, the first that is there is taken. A file is looked for beside this one
 * @throws the error of Node's `require` for a package that is not installed beside this one
 */
export function lazyLoad<T>(...names: readonly [string, ...string[]]): () => T {
  let loaded: { readonly module: T } | undefined
  return () => {
    // The caller names the type of the module that it asks for, as an import would.
    loaded ??= { module: loadFirst(names) as T }
    return loaded.module
  }
}

function loadFirst([name, ...others]: readonly string[]): unknown {
  load ??= createRequire(import.meta.url)
  try {
    return load(String(name))
  } catch (cause) {
    const absent = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    if (!absent || others.length === 0) throw cause
    return loadFirst(others)
  }
}
