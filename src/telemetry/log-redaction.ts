const redaction = '[redacted]'

/**
 * A path with a query, where it stands in a sentence: an invitation, or a token, is in what follows the `?`. Neither part ends at a
 * quote, which a client may write there.
 */
const query = /(\/[^\s?]*)\?\S+/g

function withoutQuery(text: string): string {
  return text.replace(query, `$1?${redaction}`)
}

/** Members of a line whose text may quote a URL; but for a URL itself, all others of `paths` are left out as a whole. */
const sentences: ReadonlySet<unknown> = new Set(['message', 'stack'])

/**
 * Options of Fastify's logger that keep credentials out of its own lines, and out of yours that show a request or its headers:
 * `Fastify({ logger: { level: 'info', ...logRedaction } })`. Of a URL the query string is left out, of headers those that carry a
 * credential.
 */
export const logRedaction = {
  /** The members of a line that are cut, for the option `redact` of pino. */
  redact: {
    paths: [
      'url',
      'req.url',
      'err.message',
      'err.stack',
      ...['headers', 'req.headers', 'request.headers'].flatMap((headers) => [
        `${headers}.authorization`,
        `${headers}.cookie`,
        `${headers}["sec-websocket-protocol"]`,
      ]),
      'headers["set-cookie"]',
      'res.headers["set-cookie"]',
    ],
    censor(value: unknown, path: readonly unknown[]): unknown {
      const name = path.at(-1)
      if (typeof value !== 'string') return redaction
      if (name === 'url') return value.replace(/\?.*/s, `?${redaction}`)
      return sentences.has(name) ? withoutQuery(value) : redaction
    },
  },
  /** Cuts the text of a line. */
  hooks: {
    // Fastify's line about an unknown path has the URL in its text, where no path of `redact` leads.
    logMethod<Given extends unknown[]>(
      this: unknown,
      given: Given,
      method: (this: never, ...given: Given) => void,
    ): void {
      const clean = given.map((each) => (typeof each === 'string' ? withoutQuery(each) : each))
      Reflect.apply(method, this, clean)
    },
  },
}
