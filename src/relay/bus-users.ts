import type { Bus } from './bus.ts'

/** Several applications, or one and an emitter, may share one bus in one process. */
const users = new WeakMap<Bus, number>()

export function useBus(bus: Bus): void {
  users.set(bus, (users.get(bus) ?? 0) + 1)
}

/** Closes the bus with the last of those who use it. */
export async function leaveBus(bus: Bus): Promise<void> {
  const left = (users.get(bus) ?? 1) - 1
  users.set(bus, left)
  if (left === 0) await bus.close()
}
