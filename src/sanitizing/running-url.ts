/** A single URL: its beginning says what it is. */
const single = new Set([
  ...['href', 'src', 'action', 'formaction', 'cite', 'poster', 'background', 'longdesc', 'usemap', 'data', 'manifest'],
  ...['xlink:href', 'xml:base', 'icon', 'codebase', 'classid', 'profile', 'dynsrc', 'lowsrc'],
])

/** Text or numbers to every browser, where the words `javascript:` are words. Whatever is not named may be a list of URLs. */
const words =
  /^(?:title|alt|label|placeholder|summary|abbr|class|id|name|lang|xml:lang|dir|value|datetime|rel|width|height|aria-.*|data-.*)$/

const runs = /(?:javascript|vbscript|livescript):|data:(?!(?:image\/(?!svg)|audio\/|video\/)[a-z0-9.+-]+[;,])/i
const beginsToRun = new RegExp(`^(?:${runs.source})`, 'i')
// Browsers take tabs and line ends out of a URL, and controls and spaces off its ends; this takes out more.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const ignored = /[\u0000-\u0020\u007f-\u00a0\u1680\u180e\u2000-\u200f\u2028\u2029\u202f\u205f\u3000\ufeff]/g

/**
 * Says whether an attribute holds a URL that runs when it is followed or loaded: `javascript:` and its like, and `data:` that
 * is not a picture, a sound or a film. Stands behind whatever a profile admits, since a profile is only as good as its pattern.
 */
export function holdsRunningUrl(name: string, value: string): boolean {
  const attribute = name.toLowerCase()
  if (words.test(attribute)) return false
  const bare = value.replace(ignored, '')
  return single.has(attribute) ? beginsToRun.test(bare) : runs.test(bare)
}
