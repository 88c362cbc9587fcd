/**
 * The URL of the file that this code runs from. In the CommonJS build it is that of `index.cjs`, beside which stands the
 * thread that sanitizes; inside a bundle it is that of the bundle, and nothing at all where the bundle has no `__filename`.
 */
export const ownUrl: string | undefined = import.meta.url

/** A file beside this code (in the package), or beside the source file that names it (in this repository). */
export function urlBeside(name: string, from: string | undefined): URL | undefined {
  return from === undefined ? undefined : new URL(`./${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from)
}
