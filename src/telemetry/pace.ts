/** Returns how many lines were held back since the last one, or `undefined` when this one is to be held back too. */
export function createPace(perSecond: number): (key: string, now: number) => number | undefined {
  const seconds = new Map<string, { second: number; lines: number; held: number }>()
  return (key, now) => {
    const second = Math.floor(now / 1000)
    let entry = seconds.get(key)
    // Keys are ours (types and codes), so the map cannot be grown by a client.
    if (entry === undefined) {
      entry = { second, lines: 0, held: 0 }
      seconds.set(key, entry)
    }
    if (entry.second !== second) {
      entry.second = second
      entry.lines = 0
    }
    if (entry.lines >= perSecond) {
      entry.held++
      return undefined
    }
    entry.lines++
    const { held } = entry
    entry.held = 0
    return held
  }
}
