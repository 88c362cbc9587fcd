/** A part of a regular expression (flag `u`), as far as the order in which it is tried depends on it. */
export type Part =
  | { readonly kind: 'character'; readonly source: string }
  | { readonly kind: 'start' | 'end' | 'boundary' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Part[] }
  | { readonly kind: 'repeat'; readonly part: Part; readonly min: number; readonly max: number }
  | { readonly kind: 'look'; readonly part: Part }

/** The tokens of a pattern: classes, escapes, beginnings of groups, quantifiers, and single characters. */
const tokens =
  /\[(?:\\.|[^\]\\])*\]|\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[a-zA-Z]|k<[^>]*>|[1-9]\d*|.)|\((?:\?(?:<?[=!]|<[^>]*>|[a-zA-Z-]*:))?|(?:[*+?]|\{\d+(?:,\d*)?\})\??|[\s\S]/gu

/** The parts of a pattern that is known to be a regular expression; none of one that changes its flags. */
export function parsePattern(pattern: string): Part | undefined {
  const rest = (pattern.match(tokens) ?? []).reverse()
  return rest.some((token) => /^\(\?[a-zA-Z-]+:/.test(token)) ? undefined : choiceOf(rest)
}

/** Reads up to the end of the group, which it leaves. */
function choiceOf(rest: string[]): Part {
  const choices: Part[] = []
  let sequence: Part[] = []
  for (let token = rest.at(-1); token !== undefined && token !== ')'; token = rest.at(-1)) {
    rest.pop()
    if (token === '|') {
      choices.push({ kind: 'sequence', parts: sequence })
      sequence = []
    } else {
      sequence.push(repeated(partOf(token, rest), rest))
    }
  }
  choices.push({ kind: 'sequence', parts: sequence })
  return { kind: 'choice', parts: choices }
}

function partOf(token: string, rest: string[]): Part {
  if (token.startsWith('(')) {
    const part = choiceOf(rest)
    rest.pop()
    if (/^\(\?<[=!]/.test(token)) return { kind: 'look', part: backward(part) }
    return /^\(\?[=!]/.test(token) ? { kind: 'look', part } : part
  }
  if (token === '^') return { kind: 'start' }
  if (token === '$') return { kind: 'end' }
  // A reference to a group may stand for an empty text.
  if (/^\\(?:[bB]$|k<|[1-9])/.test(token)) return { kind: 'boundary' }
  return { kind: 'character', source: token }
}

/** A look behind is tried from its end (ECMAScript, 22.2.2.4). */
function backward(part: Part): Part {
  switch (part.kind) {
    case 'sequence':
      return { kind: 'sequence', parts: part.parts.map(backward).reverse() }
    case 'choice':
      return { kind: 'choice', parts: part.parts.map(backward) }
    case 'repeat':
      return { ...part, part: backward(part.part) }
    default:
      return part
  }
}

function repeated(part: Part, rest: string[]): Part {
  const found = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??$/.exec(rest.at(-1) ?? '')
  if (found === null) return part
  rest.pop()
  const [, sign, min = '0', comma, max] = found
  if (sign !== undefined) return { kind: 'repeat', part, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Infinity }
  const least = Number(min)
  if (comma === '') return { kind: 'repeat', part, min: least, max: least }
  return { kind: 'repeat', part, min: least, max: max === '' ? Infinity : Number(max) }
}

/** Whether a part may be repeated without end, so that its time may grow faster than the text. */
export function isEndless(part: Part): boolean {
  switch (part.kind) {
    case 'sequence':
    case 'choice':
      return part.parts.some(isEndless)
    case 'repeat':
      return part.max === Infinity || isEndless(part.part)
    case 'look':
      return isEndless(part.part)
    default:
      return false
  }
}

/**
 * The same pattern with shorter repetitions, which are as endless and touch each other in the same places.
 *
 * @param most rounds of a part that has an end
 * @param mostEndless rounds of a part without end: each of them may raise the power to which the time grows
 */
export function shortenRepeats(pattern: string, most: number, mostEndless: number): string {
  const groups: boolean[] = []
  let isInEndless = false
  let isAfterEndless = false
  const shorten = (token: string): string => {
    const isQuantifier = /^(?:[*+]|\{\d+,\})/.test(token)
    const rounds = isAfterEndless ? mostEndless : most
    if (token.startsWith('(')) {
      groups.push(isInEndless)
      isInEndless = false
    }
    isAfterEndless = token === ')' && isInEndless
    if (token === ')') {
      const wasInEndless = groups.pop()
      isInEndless ||= wasInEndless === true
    }
    if (isQuantifier) isInEndless = true
    return token.startsWith('{') ? token.replace(/\d+/g, (count) => `${Math.min(rounds, Number(count))}`) : token
  }
  return pattern.replace(tokens, shorten)
}
