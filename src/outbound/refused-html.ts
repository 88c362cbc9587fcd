import { SecureWsError } from '../errors.ts'
import type { SanitizeHtml } from './schema.ts'

/** The markup in the place of HTML that was refused: empty, and a page can find and style it. */
const mark = '<span data-refused=""></span>'

/**
 * Sanitizes, and puts a mark in the place of a document that was refused, so that one document of a list does not keep the others
 * from everybody. A failure of the sanitizer itself is thrown as before: then no document is at fault.
 */
export function markingRefused(sanitizeHtml: SanitizeHtml): SanitizeHtml {
  return (dirty) => {
    try {
      const clean = sanitizeHtml(dirty)
      return clean instanceof Promise ? clean.catch(marked) : clean
    } catch (error) {
      return marked(error)
    }
  }
}

function marked(error: unknown): string {
  if (error instanceof SecureWsError && error.code === 'SWS_SANITIZE_REFUSED') return mark
  throw error
}

/** The code that a client gets for an answer whose HTML was not cleaned; `undefined` for any other mistake. */
export function codeOfRefusedHtml(error: unknown): 'SWS_INVALID_MESSAGE' | 'SWS_INTERNAL' | undefined {
  if (!(error instanceof SecureWsError)) return undefined
  if (error.code === 'SWS_SANITIZE_REFUSED') return 'SWS_INVALID_MESSAGE'
  return error.code === 'SWS_INTERNAL' || error.code === 'SWS_BUNDLED' ? 'SWS_INTERNAL' : undefined
}
