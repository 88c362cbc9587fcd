/**
 * A backtracking engine that counts its steps, as an oracle: it tries one way after another, as Node's does, and knows nothing of how
 * `src/schema/pattern-steps.ts` counts them.
 */

/** A random pattern of parts that take the same few characters, as source and as something to run. */
export interface Piece {
  readonly source: string
  /** @param then what follows; where it returns true, the text matches */
  readonly run: (text: string, at: number, then: (at: number) => boolean, step: () => void) => boolean
}

export function characters(source: string, taken: string): Piece {
  const run: Piece['run'] = (text, at, then, step) => {
    step()
    return taken.includes(text.charAt(at) || '\n') && then(at + 1)
  }
  return { source, run }
}

export function sequence(pieces: readonly Piece[]): Piece {
  const [first, ...rest] = pieces
  if (first === undefined) return { source: '', run: (_text, at, then) => then(at) }
  const others = sequence(rest)
  const run: Piece['run'] = (text, at, then, step) =>
    first.run(text, at, (next) => others.run(text, next, then, step), step)
  return { source: first.source + others.source, run }
}

export function choice(pieces: readonly Piece[]): Piece {
  const run: Piece['run'] = (text, at, then, step) => pieces.some((piece) => piece.run(text, at, then, step))
  return { source: `(?:${pieces.map(({ source }) => source).join('|')})`, run }
}

export function repeat(piece: Piece, min: number, max: number): Piece {
  const rounds = (text: string, at: number, then: (at: number) => boolean, step: () => void, done: number): boolean => {
    const again = (next: number): boolean => (next > at || done < min) && rounds(text, next, then, step, done + 1)
    return (done < max && piece.run(text, at, again, step)) || (done >= min && then(at))
  }
  const run: Piece['run'] = (text, at, then, step) => rounds(text, at, then, step, 0)
  return { source: `(?:${piece.source}){${min},${max}}`, run }
}

/** The steps that a pattern takes on a text, from every place in it or only from the first; at most `most`. */
export function stepsOn(piece: Piece, isAnchored: boolean, text: string, most: number): number {
  let steps = 0
  const enough = new Error('enough')
  const step = (): void => {
    steps++
    if (steps > most) throw enough
  }
  try {
    for (let start = 0; start <= (isAnchored ? 0 : text.length); start++)
      if (piece.run(text, start, () => true, step)) break
  } catch (error) {
    if (error !== enough) throw error
  }
  return steps
}
