import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until something is so; fails only after a time in which it should have been so many times over. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, patience = 30_000): Promise<void> {
  // Not `performance.now()`, which some tests move.
  const deadline = process.hrtime.bigint() + BigInt(patience) * 1_000_000n
  while (!(await isSo())) {
    if (process.hrtime.bigint() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(5)
  }
}
