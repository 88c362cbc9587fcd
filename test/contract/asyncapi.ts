/** The parser that readers of AsyncAPI use: its own declarations name a package that brings none. */
interface ParserModule {
  readonly Parser: new () => {
    parse(document: string): Promise<{ readonly document?: Parsed; readonly diagnostics: readonly Objection[] }>
  }
}

interface Objection {
  readonly code: string | number
  readonly message: string
  readonly path: readonly (string | number)[]
}

interface Listed<T> {
  all(): T[]
}

/** The part of a parsed document that is looked at here. */
export interface Parsed {
  channels(): Listed<{ address(): string }>
  operations(): { filterByReceive(): { messages(): Listed<{ name(): string }> }[] }
  servers(): Listed<{ url(): string }>
}

/** Parses a document, with what the parser objects to. */
export async function parse(document: string): Promise<{ readonly document?: Parsed; readonly objections: string[] }> {
  const name: string = '@asyncapi/parser'
  const { Parser }: ParserModule = await import(name)
  const { document: parsed, diagnostics } = await new Parser().parse(document)
  // Any later version of AsyncAPI is no reason against this one, which every tool reads.
  const objections = diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version')
  return {
    ...(parsed && { document: parsed }),
    objections: objections.map(({ message, path }) => `${path.join('.')}: ${message}`),
  }
}
