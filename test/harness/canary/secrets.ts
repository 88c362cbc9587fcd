/** Set into every handshake of a run; no sink may have it, in whole or in part. */
export const mark = 'CaNaRy7'

/** Pieces of so many characters: long enough that no two texts share one by chance. */
const piece = 14
/** Of a long secret the first ones are enough to tell it by. */
const mostPieces = 40
const mostSecrets = 20_000

/** What everybody may see: origins and hosts, of which an event tells. */
const open = new Set<string>()

/** A text that is no secret, even where it travels in the place of one. */
export function isOpen(text: string): void {
  if (open.size < mostSecrets) for (const part of piecesOf(text)) open.add(part)
}

function piecesOf(text: string): string[] {
  const count = Math.min(text.length - piece, mostPieces) + 1
  return Array.from({ length: Math.max(0, count) }, (_, at) => text.slice(at, at + piece))
}

/** Texts that were seen going in, told by any fourteen characters of theirs that come out. */
export class Secrets {
  readonly #pieces = new Map<string, string>()
  #count = 0
  /** Texts that came when enough were known. */
  beyond = 0

  add(text: string, what: string): void {
    if (this.#count >= mostSecrets) {
      this.beyond++
      return
    }
    this.#count++
    for (const part of piecesOf(text)) {
      // A run of one character is no secret, and stands in rulers and in paddings.
      if (new Set(part).size > 5) this.#pieces.set(part, what)
    }
  }

  /** @returns what came out, and around it */
  foundIn(text: string): string | undefined {
    if (this.#pieces.size === 0) return undefined
    for (let at = 0; at + piece <= text.length; at++) {
      const part = text.slice(at, at + piece)
      const what = this.#pieces.get(part)
      if (what !== undefined && !open.has(part)) return `${what}: ...${text.slice(Math.max(0, at - 40), at + 60)}`
    }
    return undefined
  }
}
