/** What every `Encoded` is made with. It never leaves this file, so `new Encoded(...)` from anywhere else throws. */
const minting = Symbol('minting')

// JSON.stringify gives no sign of which leaves were `Encoded`, and a placeholder in the text is something a hostile
// string could imitate. So it is counted how many were serialized, and while `marking`, each becomes an object of its
// own kind, which the replacer can tell from every string.
let serializedCount = 0
let marking = false

/** What an `Encoded<'html'>` serializes to while marking; anybody else's JSON.stringify takes it for its text. */
class MarkupText extends String {
  readonly #own = true

  static is(value: object): value is MarkupText {
    return #own in value && value.#own
  }
}

/**
 * Text that is already encoded for one context, and is therefore not encoded again. `Encoded<'html'>` passes `send`
 * untouched; made for another context it is text like any other.
 *
 * The text sits in a private field, so nothing that was parsed from a message can be one, whatever members it has.
 * There are three ways to make an `Encoded<'html'>` from markup: the `html` tag, `sanitizeHtml`, `dangerouslyTrustHtml`.
 * In `JSON.stringify` and in string concatenation it turns into its text.
 */
export class Encoded<Context extends string = string> {
  readonly #text: string
  readonly #context: Context

  /** @throws TypeError unless called by this package. */
  constructor(token: typeof minting, context: Context, text: string) {
    if (token !== minting) throw new TypeError('Encoded cannot be constructed: use html, sanitizeHtml or encodeFor')
    this.#context = context
    this.#text = text
    Object.freeze(this)
  }

  /** The place that the text is safe in: `html`, `attribute`, `js`, `json`, `url` or `css`. */
  get context(): Context {
    return this.#context
  }

  /** The text. */
  toString(): string {
    return this.#text
  }

  /** The text, for `JSON.stringify`. */
  toJSON(): string
  toJSON(): unknown {
    if (this.#context !== 'html') return this.#text
    serializedCount += 1
    return marking ? new MarkupText(this.#text) : this.#text
  }

  /** True for a real `Encoded` (of that context, if one is named); false for everything that only looks like one. */
  static is(value: unknown): value is Encoded
  static is<Wanted extends string>(value: unknown, context: Wanted): value is Encoded<Wanted>
  static is(value: unknown, context?: string): boolean {
    if (typeof value !== 'object' || value === null || !(#text in value)) return false
    return context === undefined || value.#context === context
  }
}
// A prototype that could be reassigned would let one line anywhere turn text into markup for every socket.
Object.freeze(Encoded.prototype)
Object.freeze(Encoded)

/** For the encoders of this folder, which have made `text` safe in `context`. */
export function encodedAs<Context extends string>(context: Context, text: string): Encoded<Context> {
  return new Encoded(minting, context, text)
}

/**
 * Takes `text` as markup, without looking at it. Only for markup that no user had a hand in; for markup that users
 * wrote there is `sanitizeHtml`.
 * @throws TypeError when `text` is not a string.
 */
export function dangerouslyTrustHtml(text: string): Encoded<'html'> {
  if (typeof text !== 'string') throw new TypeError('dangerouslyTrustHtml takes a string')
  return encodedAs('html', text)
}

/** How many `Encoded<'html'>` were serialized so far: a difference over a `JSON.stringify` says there was one inside. */
export function markupSerialized(): number {
  return serializedCount
}

/** Runs `serializing` with every `Encoded<'html'>` told apart from text: see `isMarkupText`. */
export function whileMarking<Result>(serializing: () => Result): Result {
  // A getter may send another message from inside this one.
  const outer = marking
  marking = true
  try {
    return serializing()
  } finally {
    marking = outer
  }
}

export function isMarkupText(member: object): boolean {
  return MarkupText.is(member)
}

/** A value as it may be given to `send`: its lists may be read-only. */
export type Given<T> = T extends string | Encoded
  ? T
  : T extends readonly unknown[]
    ? { readonly [Index in keyof T]: Given<T[Index]> }
    : T extends object
      ? { [Key in keyof T]: Given<T[Key]> }
      : T

/** As `Given`, with markup for any string: where the type does not tell which strings are markup. A wrong one is warned of. */
export type OrEncoded<T> = T extends string
  ? string extends T
    ? T | Encoded<'html'>
    : T
  : T extends readonly unknown[]
    ? { readonly [Index in keyof T]: OrEncoded<T[Index]> }
    : T extends object
      ? { [Key in keyof T]: OrEncoded<T[Key]> }
      : T
