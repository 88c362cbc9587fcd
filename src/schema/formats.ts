import { isIPv4, isIPv6 } from 'node:net'

/** The formats a text may name, each with the longest text (UTF-16 units) that it is looked at: what its own RFC allows, or generous. */
const texts: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['date', capped(10, isDate)],
  ['time', capped(64, isTime)],
  ['date-time', capped(64, isDateTime)],
  [
    'duration',
    capped(128, matching(/^P(?!$)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$|^P\d+W$/)),
  ],
  ['email', capped(320, isEmail)],
  ['hostname', capped(254, isHostname)],
  ['ipv4', capped(15, isIPv4)],
  ['ipv6', capped(45, isAddress6)],
  ['uri', capped(8192, isUri)],
  ['url', capped(8192, isUri)],
  ['uri-reference', capped(8192, isUriReference)],
  ['iri', capped(8192, (text) => isUri(asciiOf(text)))],
  ['iri-reference', capped(8192, (text) => isUriReference(asciiOf(text)))],
  ['uuid', capped(45, matching(/^(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i))],
  ['json-pointer', capped(8192, matching(/^(?:\/(?:[^~/]|~[01])*)*$/))],
  ['relative-json-pointer', capped(8192, matching(/^(?:0|[1-9]\d*)(?:#|(?:\/(?:[^~/]|~[01])*)*)$/))],
  ['byte', matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)],
])

const numbers: ReadonlyMap<string, (value: number) => boolean> = new Map([
  ['int32', (value: number) => Number.isInteger(value) && value === (value | 0)],
  ['int64', (value: number) => Number.isSafeInteger(value)],
  ['float', () => true],
  ['double', () => true],
])

/** The names of all formats, and what they are of. */
export const formatKinds: ReadonlyMap<string, 'string' | 'number'> = new Map([
  ...[...texts.keys()].map((name) => [name, 'string'] as const),
  ...[...numbers.keys()].map((name) => [name, 'number'] as const),
])

export function textFormat(name: unknown): ((text: string) => boolean) | undefined {
  return texts.get(String(name))
}

export function numberFormat(name: unknown): ((value: number) => boolean) | undefined {
  return numbers.get(String(name))
}

function capped(longest: number, check: (text: string) => boolean): (text: string) => boolean {
  return (text) => text.length <= longest && check(text)
}

function matching(expression: RegExp): (text: string) => boolean {
  return (text) => expression.test(text)
}

const daysOf = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** RFC 3339 section 5.6. */
function isDate(text: string): boolean {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (found === null) return false
  const [year, month, day] = found.slice(1).map(Number) as [number, number, number]
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day >= 1 && day <= (daysOf[month - 1] ?? 0) + Number(leap)
}

/** A leap second only where one can be: at 23:59:60 UTC. */
function isTime(text: string): boolean {
  const found = /^(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:z|([+-])(\d{2}):(\d{2}))$/i.exec(text)
  if (found === null) return false
  const [hour = 0, minute = 0, second = 0] = found.slice(1, 4).map(Number)
  const [zoneHour, zoneMinute] = [Number(found[5] ?? 0), Number(found[6] ?? 0)]
  if (zoneHour > 23 || zoneMinute > 59 || hour > 23 || minute > 59) return false
  if (second < 60) return true
  const zone = (found[4] === '-' ? -1 : 1) * (zoneHour * 60 + zoneMinute)
  return second === 60 && (hour * 60 + minute - zone + 1440) % 1440 === 1439
}

function isDateTime(text: string): boolean {
  return /^.{10}[Tt ]/.test(text) && isDate(text.slice(0, 10)) && isTime(text.slice(11))
}

/** The dot-atoms of RFC 5321 section 4.1.2, at a host name of two labels or more. */
function isEmail(text: string): boolean {
  const host = text.slice(text.lastIndexOf('@') + 1)
  return (
    /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@$/.test(text.slice(0, -host.length)) &&
    /\.[^.]+$/.test(host) &&
    isHostname(host)
  )
}

/** RFC 1123: labels of at most 63 letters, digits and hyphens. */
function isHostname(text: string): boolean {
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.')
  return labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
}

const uriCharacters = /^(?:[\w\-.~:/?#[\]@!$&'()*+,;=]|%[0-9a-f]{2})*$/i

function isUri(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:./i.test(text) || !isUriReference(text)) return false
  return !/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || URL.canParse(text)
}

/** RFC 3986 section 4.1: its characters, no more than one fragment, and brackets in a host only. */
function isUriReference(text: string): boolean {
  if (!uriCharacters.test(text) || text.indexOf('#') !== text.lastIndexOf('#')) return false
  const [beginning = '', authority = ''] = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?#]*)/i.exec(text) ?? []
  return isAuthority(authority) && !/[[\]]/.test(text.slice(beginning.length))
}

/** RFC 3986 section 3.2: one user, one host, one port. Readers that disagree about the host of a text are an old way in. */
function isAuthority(text: string): boolean {
  const found = /^(?:[^@[\]]*@)?(?:\[([^[\]]*)\]|[^@[\]:]*)(?::\d*)?$/.exec(text)
  return found !== null && (found[1] === undefined || isAddress6(found[1]))
}

/** Without a zone, which is about one machine only. */
function isAddress6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

/** RFC 3987 allows letters of all languages where RFC 3986 has those of one. */
function asciiOf(text: string): string {
  return text.replace(/[^\0-\x9f\ud800-\udfff\ue000-\uf8ff\ufff0-\uffff]/gu, 'a')
}
