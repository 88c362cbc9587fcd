import { page } from './surroundings.ts'

/**
 * The news from outside: `offline`, the network went; `moved`, it came back, perhaps another one, or the machine has slept, so
 * that no connection from before can be trusted; `seen`, somebody looks at the page again.
 */
export type News = 'offline' | 'moved' | 'seen'

const every = 10_000
/**
 * A tick so late means that the machine slept: hidden pages get one tick a minute, and no server waits so long for a pong. A
 * connection that survived it unheard would stay open in the browser for minutes, dead.
 */
const asleep = 90_000

/** @returns its own end */
export function onNews(tell: (news: News) => void): () => void {
  const { document } = page()
  let last = Date.now()
  const lookAtClock = () => {
    // The date, and not a monotonic clock: several of those stand still while the machine sleeps.
    const now = Date.now()
    const late = now - last > asleep
    last = now
    if (late) tell('moved')
    return late
  }
  const timer = setInterval(lookAtClock, every)
  // In Node the connection keeps the program running, not its clock.
  if (typeof timer === 'object') timer.unref()
  const seen = () => {
    if (!lookAtClock() && document?.visibilityState !== 'hidden') tell('seen')
  }
  const offline = () => tell('offline')
  const online = () => tell('moved')
  const listened = [
    [page(), 'online', online],
    [page(), 'offline', offline],
    [page(), 'pageshow', seen],
    [document, 'visibilitychange', seen],
    [document, 'resume', seen],
  ] as const
  for (const [target, type, listener] of listened) target?.addEventListener?.(type, listener)
  return () => {
    clearInterval(timer)
    for (const [target, type, listener] of listened) target?.removeEventListener?.(type, listener)
  }
}
