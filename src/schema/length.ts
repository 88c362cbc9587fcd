/** Counts the length of a text as JSON Schema has it: a pair of surrogates is one. */
export function countCodePoints(text: string): number {
  let count = text.length
  for (let at = 1; at < text.length; at++) {
    const isPair = (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800
    if (isPair) count--
  }
  return count
}

/** Whether a text has more code points. It has at most as many as units and at least half as many, so it is seldom read. */
export function isLonger(text: string, most: number): boolean {
  const { length } = text
  return length > most && (length > 2 * most || countCodePoints(text) > most)
}

/** Whether a text has fewer code points. */
export function isShorter(text: string, least: number): boolean {
  const { length } = text
  return length < 2 * least && (length < least || countCodePoints(text) < least)
}
