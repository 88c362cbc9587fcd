import { quoted } from './quoted.ts'

const redaction = '[redacted]'

/** Shorter ones are words: cutting them out would leave no sentence. */
const shortestSecret = 4

const longestMessage = 1_000
const longestFrame = 300
const mostFrames = 30
const deepestCause = 3

/** Patterns of texts that look like a credential wherever they stand. Each pattern is one pass over the text: no part of it can match twice. */
const patterns: readonly (readonly [pattern: RegExp, instead: string])[] = [
  // The user and the password of a URL: `redis://user:password@host`.
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/@]{1,512}@/gi, `$1${redaction}@`],
  [/\b(bearer|basic|digest)(\s{1,4})[\w+/=.~-]{4,}/gi, `$1$2${redaction}`],
  [
    /((?:password|passwd|passphrase|secret|token|api[-_]?key|authorization|cookie)["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"',;&)]{1,4096}/gi,
    `$1${redaction}`,
  ],
]

/** The text without the given secrets, without what looks like one, and without characters that a terminal obeys. */
export function redacted(text: string, secrets: readonly string[], limit = longestMessage): string {
  let clean = text
  // The longest first: of a token and its signature, the token.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length >= shortestSecret) clean = clean.replaceAll(secret, redaction)
  }
  // Before it is cut: half a secret is one, too.
  for (const [pattern, instead] of patterns) clean = clean.replace(pattern, instead)
  return quoted(clean, limit)
}

/**
 * A copy of an error that may stand in a log: its kind, message, stack, code and causes. Nothing else of it, because drivers
 * put their whole configuration there, and HTTP clients the request with its headers.
 *
 * @throws what the error throws when it is looked at
 */
export function redactedError(error: Error, secrets: readonly string[], depth = 0): Error {
  const message = redacted(textOr(error.message, ''), secrets)
  const name = redacted(textOr(error.name, 'Error'), secrets, 64)
  // Loggers tell the kind of an error by its prototype.
  const copy: Error = Object.create(Object.getPrototypeOf(error))
  const put = (key: string, value: unknown, enumerable = false) =>
    Object.defineProperty(copy, key, { value, enumerable, configurable: true, writable: true })
  put('name', name)
  put('message', message)
  put('stack', [`${name}: ${message}`, ...framesOf(error, secrets)].join('\n'))
  const code: unknown = Reflect.get(error, 'code')
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code)) put('code', code, true)
  if (depth >= deepestCause) return copy
  if (error.cause instanceof Error) put('cause', redactedError(error.cause, secrets, depth + 1))
  const parts: unknown = Reflect.get(error, 'errors')
  if (Array.isArray(parts)) {
    const errors = parts.filter((part) => part instanceof Error).slice(0, 4)
    put(
      'errors',
      errors.map((part) => redactedError(part, secrets, depth + 1)),
    )
  }
  return copy
}

/** The frames alone: above them a stack repeats the message, line breaks included. */
function framesOf(error: Error, secrets: readonly string[]): string[] {
  return textOr(error.stack, '')
    .split('\n')
    .filter((line) => /^\s{1,8}at \S/.test(line))
    .slice(0, mostFrames)
    .map((line) => redacted(line, secrets, longestFrame))
}

function textOr(value: unknown, instead: string): string {
  return typeof value === 'string' ? value : instead
}
