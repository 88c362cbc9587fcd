import { statSync } from 'node:fs'
import { filesBelow, root } from '../house/source-files.ts'

/** Tests that use the package by its name use `dist`. An old `dist` would make them say something about yesterday's code. */
export function requireBuild(): void {
  const built = statSync(new URL('../../dist/index.js', import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const changed = Math.max(...filesBelow('src').map((path) => statSync(`${root}${path}`).mtimeMs))
  if (built < changed) throw new Error('`dist` is missing or older than `src`: run `npm run build` (`npm test` does).')
}
