/** Counts what a process allocates on V8's heap, and how much of it survives long enough to be moved to old space. */
import { GCProfiler, type GCProfilerResult } from 'node:v8'

export interface Garbage {
  /** Bytes. */
  readonly allocated: number
  readonly promoted: number
  /** The longest scavenge, ms. */
  readonly longest: number
}

/** Counts from the call on, until the function that it returns is called. */
export function countGarbage(): () => Garbage {
  globalThis.gc?.()
  const profiler = new GCProfiler()
  profiler.start()
  const { heapUsed } = process.memoryUsage()
  return () => {
    // What nobody has collected yet was allocated all the same.
    globalThis.gc?.()
    return totalOf(profiler.stop().statistics, heapUsed)
  }
}

function totalOf(collections: GCProfilerResult['statistics'], heapUsed: number): Garbage {
  let allocated = 0
  let promoted = 0
  let longest = 0
  let after = heapUsed
  for (const { beforeGC, afterGC, gcType, cost } of collections) {
    allocated += beforeGC.heapStatistics.usedHeapSize - after
    after = afterGC.heapStatistics.usedHeapSize
    if (gcType === 'Scavenge') {
      promoted += Math.max(0, oldSpace(afterGC) - oldSpace(beforeGC))
      longest = Math.max(longest, cost / 1_000)
    }
  }
  return { allocated, promoted, longest }
}

function oldSpace({ heapSpaceStatistics }: GCProfilerResult['statistics'][number]['afterGC']): number {
  return heapSpaceStatistics.find(({ spaceName }) => spaceName === 'old_space')?.spaceUsedSize ?? 0
}
