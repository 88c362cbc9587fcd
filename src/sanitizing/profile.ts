import { badOption } from '../errors.ts'
import { checkKeys, isPlainObject, join } from '../option-checks.ts'

/**
 * The configuration that DOMPurify may be given, in its own words (https://github.com/cure53/DOMPurify#can-i-configure-dompurify). Lists only,
 * never functions: a function cannot cross to a worker, and one in ADD_TAGS used to beat FORBID_TAGS (CVE-2026-41240).
 * Every option that hands out something else than a string, or that takes a guard away, is missing on purpose.
 */
export interface OwnProfile {
  /** Elements that stay, in place of the default list of DOMPurify. */
  readonly ALLOWED_TAGS?: readonly string[]
  /** Attributes that stay, in place of the default list. */
  readonly ALLOWED_ATTR?: readonly string[]
  /** Elements that stay as well. */
  readonly ADD_TAGS?: readonly string[]
  /** Attributes that stay as well. */
  readonly ADD_ATTR?: readonly string[]
  /** Elements that go, whatever the other lists say. */
  readonly FORBID_TAGS?: readonly string[]
  /** Attributes that go, whatever the other lists say. */
  readonly FORBID_ATTR?: readonly string[]
  /** Elements whose content goes with them, in place of DOMPurify's own list. */
  readonly FORBID_CONTENTS?: readonly string[]
  /** More elements whose content goes with them. */
  readonly ADD_FORBID_CONTENTS?: readonly string[]
  /** Attributes whose value is no URL, though it may look like one. */
  readonly ADD_URI_SAFE_ATTR?: readonly string[]
  /** Whether `aria-*` stays. Default true. */
  readonly ALLOW_ARIA_ATTR?: boolean
  /** Whether `data-*` stays. Default true. */
  readonly ALLOW_DATA_ATTR?: boolean
  /** Whether `/>` may stand in an attribute. Default true. */
  readonly ALLOW_SELF_CLOSE_IN_ATTR?: boolean
  /** Which URLs stay. Tested on the value without white space and control characters. No `g` or `y` flag. */
  readonly ALLOWED_URI_REGEXP?: RegExp
  /** False drops the text inside an element that is not allowed. Default true. */
  readonly KEEP_CONTENT?: boolean
  /** True prefixes every `id` and `name` with `user-content-`. Default false: names that clobber `document` are dropped. */
  readonly SANITIZE_NAMED_PROPS?: boolean
  /** Lists of DOMPurify by name, in place of all of them. */
  readonly USE_PROFILES?: {
    readonly html?: boolean
    readonly svg?: boolean
    readonly svgFilters?: boolean
    readonly mathMl?: boolean
  }
}

/** A profile as the worker gets it: plain values only, since it is cloned into the thread. */
export interface Profile {
  readonly name: 'basic' | 'rich' | 'own'
  readonly config: OwnProfile & { readonly ALLOWED_NAMESPACES?: readonly string[] }
}

// A scheme as the URL standard reads it, or no scheme at all (a path, a query, a fragment). DOMPurify takes white space
// and control characters out before it asks, so `java\tscript:` comes as `javascript:`.
const webUrl = /^(?:(?:https?|mailto):|(?![a-z][a-z0-9+.-]*:))/i

const textTags = 'a b blockquote br code del em i ins li ol p pre s strong sub sup u ul'.split(' ')
const pageTags = 'caption dd dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr img table tbody td tfoot th thead tr'.split(
  ' ',
)

/** Neither profile admits `class`, `id`, `name` or `style`: they borrow the page's own looks, or shadow its globals. */
const fixed = {
  ALLOWED_NAMESPACES: ['http://www.w3.org/1999/xhtml'],
  ALLOWED_URI_REGEXP: webUrl,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
} as const

/** Text formatting and links. */
const basic: Profile = { name: 'basic', config: { ...fixed, ALLOWED_TAGS: textTags, ALLOWED_ATTR: ['href'] } }

/** `basic`, headings, tables, and images from `https:` addresses. No forms, SVG or MathML. */
const rich: Profile = {
  name: 'rich',
  config: {
    ...fixed,
    ALLOWED_TAGS: [...textTags, ...pageTags],
    ALLOWED_ATTR: ['href', 'src', 'alt', 'title', 'width', 'height', 'colspan', 'rowspan', 'scope'],
  },
}

const lists = [
  'ALLOWED_TAGS',
  'ALLOWED_ATTR',
  'ADD_TAGS',
  'ADD_ATTR',
  'FORBID_TAGS',
  'FORBID_ATTR',
  'FORBID_CONTENTS',
  'ADD_FORBID_CONTENTS',
  'ADD_URI_SAFE_ATTR',
] as const
const flags = [
  'ALLOW_ARIA_ATTR',
  'ALLOW_DATA_ATTR',
  'ALLOW_SELF_CLOSE_IN_ATTR',
  'KEEP_CONTENT',
  'SANITIZE_NAMED_PROPS',
] as const
const known: readonly string[] = [...lists, ...flags, 'ALLOWED_URI_REGEXP', 'USE_PROFILES']

/** DOMPurify options that are real, and refused here: the reason is the message. */
const withheld = new Map<string, string>([
  ...['ALLOW_UNKNOWN_PROTOCOLS', 'SANITIZE_DOM', 'SAFE_FOR_XML', 'CUSTOM_ELEMENT_HANDLING', 'ADD_DATA_URI_TAGS'].map(
    (key) => [key, 'It takes a guard of DOMPurify away; leave it out.'] as const,
  ),
  ...['RETURN_DOM', 'RETURN_DOM_FRAGMENT', 'RETURN_TRUSTED_TYPE', 'IN_PLACE', 'TRUSTED_TYPES_POLICY'].map(
    (key) => [key, 'Only text leaves the sanitizer; leave it out.'] as const,
  ),
  ...['WHOLE_DOCUMENT', 'FORCE_BODY', 'NAMESPACE', 'PARSER_MEDIA_TYPE', 'ALLOWED_NAMESPACES'].map(
    (key) => [key, 'Only fragments of HTML are sanitized; leave it out.'] as const,
  ),
  ...['HTML_INTEGRATION_POINTS', 'MATHML_TEXT_INTEGRATION_POINTS'].map(
    (key) => [key, 'It makes DOMPurify disagree with the parser of browsers; leave it out.'] as const,
  ),
  ['SAFE_FOR_TEMPLATES', 'Do not put what users wrote through a template engine; leave it out.'],
])

/** Elements that run, load or re-read what is inside them, whatever else is forbidden. */
const neverTags = new Set(
  'applet base embed frame frameset iframe link meta noembed noframes noscript object plaintext script selectedcontent xmp'.split(
    ' ',
  ),
)
const neverAttr = /^(?:on.*|srcdoc|formaction|is|shadowroot.*|http-equiv)$/i

/**
 * @param given `'basic'`, `'rich'` or an own DOMPurify configuration.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function compileProfile(given: unknown, path: string): Profile {
  if (given === 'basic') return basic
  if (given === 'rich') return rich
  if (!isPlainObject(given)) {
    throw badOption(path, given, "Write 'basic', 'rich', or an object with DOMPurify options.")
  }
  for (const key of Object.keys(given)) {
    const reason = withheld.get(key)
    if (reason !== undefined) throw badOption(join(path, key), given[key], reason)
  }
  checkKeys(given, known, path)
  for (const key of lists) if (given[key] !== undefined) checkList(key, given[key], join(path, key))
  for (const key of flags) {
    if (given[key] !== undefined && typeof given[key] !== 'boolean') {
      throw badOption(join(path, key), given[key], 'Write true or false.')
    }
  }
  checkUrlPattern(given.ALLOWED_URI_REGEXP, join(path, 'ALLOWED_URI_REGEXP'))
  checkUseProfiles(given, path)
  // A copy: an array that the caller goes on changing must not change what was checked.
  return { name: 'own', config: structuredClone(given) }
}

function checkList(key: (typeof lists)[number], list: unknown, path: string): void {
  if (!Array.isArray(list) || !list.every((name) => typeof name === 'string' && /^[#!a-z][a-z0-9:_-]*$/i.test(name))) {
    throw badOption(path, list, 'Write an array of names, without wildcards and functions.')
  }
  const admits = key.startsWith('ALLOWED') || key.startsWith('ADD')
  if (!admits || key === 'ADD_FORBID_CONTENTS') return
  const danger = list.find((name: string) =>
    key.endsWith('TAGS') ? neverTags.has(name.toLowerCase()) : neverAttr.test(name),
  )
  if (danger !== undefined) throw badOption(path, list, `\`${danger}\` runs or loads what it names; take it out.`)
}

function checkUrlPattern(pattern: unknown, path: string): void {
  if (pattern === undefined) return
  if (!(pattern instanceof RegExp)) throw badOption(path, pattern, 'Write a regular expression.')
  // With `g` or `y` a RegExp remembers where it stopped, and lets every other value through.
  if (pattern.global || pattern.sticky) throw badOption(path, String(pattern), 'Leave the flags `g` and `y` out.')
  // Also with what a pattern that is not tied to the beginning may be looking for further on.
  const running = ['javascript:alert(1)', 'JavaScript:alert(1)', 'vbscript:x', 'data:text/html,x']
    .flatMap((url) => [url, `${url}//https://x/`, `${url}//http://x/a.png`, `${url}//mailto:a@b`, `${url}//x?#/`])
    .find((url) => pattern.test(url))
  if (running !== undefined)
    throw badOption(path, String(pattern), `It lets \`${running}\` through; name what may stay.`)
}

function checkUseProfiles(given: Record<string, unknown>, path: string): void {
  const use = given.USE_PROFILES
  if (use === undefined) return
  const usePath = join(path, 'USE_PROFILES')
  if (!isPlainObject(use)) throw badOption(usePath, use, 'Write an object such as { html: true }.')
  checkKeys(use, ['html', 'svg', 'svgFilters', 'mathMl'], usePath)
  for (const [key, value] of Object.entries(use)) {
    if (typeof value !== 'boolean') throw badOption(join(usePath, key), value, 'Write true or false.')
  }
  if (given.ALLOWED_TAGS !== undefined || given.ALLOWED_ATTR !== undefined) {
    throw badOption(
      usePath,
      use,
      'DOMPurify ignores ALLOWED_TAGS and ALLOWED_ATTR beside it; use ADD_TAGS and ADD_ATTR.',
    )
  }
}
