/** A character reference that the encoder writes for one of its five characters. */
const reference = /&(?:amp|lt|gt|quot|apos|#0*39|#x0*27);/i

/** The look-out for text that was encoded before it is encoded. */
export interface EncodedTwice {
  /** Looks at text, or JSON, that is about to be encoded, until it has warned once. */
  note(text: string): void
  /** Whether there was such text. */
  readonly seen: boolean
}

/**
 * Warns of text that was encoded before: its page shows `&lt;`, and a page that decodes it once more to hide that makes markup of
 * what a user wrote. A user may have typed it, too, so nothing is refused.
 */
export function lookForTwice(path: string, warn: (text: string) => void): EncodedTwice {
  let seen = false
  return {
    note(text) {
      if (seen || !reference.test(text)) return
      seen = true
      warn(
        `${path}: a text was sent that holds a character reference such as \`&lt;\`, and was encoded once more. If the application has encoded it, leave that out: a page that decodes twice makes markup of what users wrote. If a user has typed it, all is well`,
      )
    },
    get seen() {
      return seen
    },
  }
}
