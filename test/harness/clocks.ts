import type { TestContext } from 'node:test'

/** Both clocks of this process, to be moved while timers run on as they are; the test's end puts them right. */
export interface Clocks {
  /** Sets the date forward or back by so many ms: somebody, or a time server, has set it. */
  moveDate(ms: number): void
  /** Lets so many ms pass at once, on both clocks: the machine slept. */
  sleep(ms: number): void
}

export function takeClocks(t: TestContext): Clocks {
  const date = Date.now
  const uptime = performance.now
  let dateMoved = 0
  let slept = 0
  Date.now = () => date.call(Date) + dateMoved + slept
  performance.now = () => uptime.call(performance) + slept
  t.after(() => {
    Date.now = date
    performance.now = uptime
  })
  return {
    moveDate(ms) {
      dateMoved += ms
    },
    sleep(ms) {
      slept += ms
    },
  }
}
