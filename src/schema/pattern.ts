/**
 * A pattern that backtracks exponentially hangs the server on some thirty characters, whatever limits are set. This finds the
 * plain cases at registration: a group repeated without bound (`(...)+`, `(...)*`, `(...){2,}`) in which one alternative is
 * nothing but repetitions without bound and optional parts, so that one text can be cut into rounds in many ways: `(a+)+`,
 * `(\w+\s?)*`, `(a|b*)+`. `(?:[a-z]+\.)+` is fine, because every round needs its dot. Quadratic patterns are not found:
 * `maxLength` beside `pattern` bounds them (it is checked first), else `limits.messageBytes` does.
 */
export function isCatastrophic(pattern: string): boolean {
  return readAlternatives({ pattern, at: 0 }).catastrophic
}

interface Reader {
  readonly pattern: string
  at: number
}

/** What a group's body looks like from outside. `loose`: some alternative is only optional parts around an unbounded repetition. */
interface Body {
  readonly loose: boolean
  readonly catastrophic: boolean
}

// Recursion is bounded by the nesting of a pattern the server's author wrote.
function readAlternatives(reader: Reader): Body {
  const { pattern } = reader
  let catastrophic = false
  let loose = false
  let unbounded = false
  let required = false
  while (reader.at < pattern.length) {
    const unit = pattern[reader.at]
    if (unit === ')') break
    if (unit === '|') {
      reader.at++
      loose ||= unbounded && !required
      unbounded = false
      required = false
      continue
    }
    const atom = readAtom(reader)
    const { min, max } = readQuantifier(reader)
    catastrophic ||= atom.catastrophic || (max === Number.POSITIVE_INFINITY && atom.loose)
    if (max === Number.POSITIVE_INFINITY || (max > 0 && atom.loose)) unbounded = true
    else if (min > 0 && !atom.empty) required = true
  }
  return { loose: loose || (unbounded && !required), catastrophic }
}

/** `empty`: takes no character (anchors, assertions), so it separates no rounds. */
function readAtom(reader: Reader): Body & { readonly empty: boolean } {
  const { pattern } = reader
  const plain = { loose: false, catastrophic: false, empty: false }
  const unit = pattern[reader.at++]
  if (unit === '\\') {
    const escaped = pattern[reader.at++]
    const braces = /^(?:[pPu]\{[^}]*\}|k<[^>]*>)/.exec(pattern.slice(reader.at - 1))
    if (braces !== null) reader.at += braces[0].length - 1
    return escaped === 'b' || escaped === 'B' ? { ...plain, empty: true } : plain
  }
  if (unit === '[') {
    while (reader.at < pattern.length && pattern[reader.at] !== ']') reader.at += pattern[reader.at] === '\\' ? 2 : 1
    reader.at++
    return plain
  }
  if (unit === '^' || unit === '$') return { ...plain, empty: true }
  if (unit !== '(') return plain
  const head = /^\?(?:[:=!]|<[=!]|<[^>]*>|[a-z-]+:)/.exec(pattern.slice(reader.at))?.[0] ?? ''
  reader.at += head.length
  const body = readAlternatives(reader)
  reader.at++
  const assertion = head.endsWith('=') || head.endsWith('!')
  return assertion ? { loose: false, catastrophic: body.catastrophic, empty: true } : { ...body, empty: false }
}

function readQuantifier(reader: Reader): { min: number; max: number } {
  const found = /^(?:([*+?])|\{(\d+)(,(\d*))?\})\??/.exec(reader.pattern.slice(reader.at))
  if (found === null) return { min: 1, max: 1 }
  reader.at += found[0].length
  const [, sign, low, comma, high] = found
  if (sign !== undefined) {
    return { min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Number.POSITIVE_INFINITY }
  }
  const min = Number(low)
  if (comma === undefined) return { min, max: min }
  return { min, max: high === '' || high === undefined ? Number.POSITIVE_INFINITY : Number(high) }
}
