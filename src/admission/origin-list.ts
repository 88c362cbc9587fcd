import { badOption } from '../errors.ts'
import { readConfiguredHost, serializeHost } from '../http/authority.ts'
import { dangerouslyAllowAnyOrigin, type OriginFunction, type OriginPolicy } from './origin.ts'
import { isOtherOrigin, readOrigin } from './web-origin.ts'

/** The rules that `origins` alone says, without the flags beside it. */
export type CompiledOrigins = Omit<OriginPolicy, 'missing' | 'nullOrigin' | 'fileOrigin'>

/** @throws SecureWsError SWS_BAD_OPTION: a rule that admits more than it seems to must not start. */
export function compileOrigins(origins: unknown, path: string): CompiledOrigins {
  const nothing = { sameOrigin: false, exact: new Set<string>(), wildcards: new Map(), any: false, ask: undefined }
  if (origins === 'same-origin') return { ...nothing, sameOrigin: true }
  if (origins === dangerouslyAllowAnyOrigin) return { ...nothing, any: true }
  if (isOriginFunction(origins)) return { ...nothing, ask: origins }
  if (!Array.isArray(origins)) throw badOption(path, shown(origins), adviceFor(origins))
  if (origins.length === 0) throw badOption(path, origins, "List at least one origin, or write 'same-origin'.")
  const exact = new Set<string>()
  const wildcards = new Map<string, 'one' | 'any'>()
  for (const [index, origin] of origins.entries()) {
    const where = `${path}[${index}]`
    if (typeof origin !== 'string') throw badOption(where, shown(origin), adviceFor(origin))
    if (origin.includes('*')) {
      const { parent, depth } = compileWildcard(origin, where)
      if (wildcards.get(parent) !== 'any') wildcards.set(parent, depth)
    } else exact.add(compileOrigin(origin, where))
  }
  return { ...nothing, exact, wildcards }
}

/** The hosts that a list of origins names: those of the exact web origins. */
export function hostsOf({ exact }: CompiledOrigins): { name: string; text: string }[] {
  return [...exact].flatMap((text) => {
    const origin = readOrigin(text)
    return origin === undefined ? [] : [{ name: origin.name, text: serializeHost(origin, origin.scheme) }]
  })
}

function isOriginFunction(value: unknown): value is OriginFunction {
  return typeof value === 'function'
}

/** JSON shows an expression as {}. */
function shown(value: unknown): unknown {
  return value instanceof RegExp ? String(value) : value
}

function adviceFor(origins: unknown): string {
  if (origins === '*' || origins === true) {
    return 'Name your origins. To admit every page, import `dangerouslyAllowAnyOrigin` and set it.'
  }
  if (origins instanceof RegExp) {
    return "A pattern without anchors admits strangers. Write exact origins, 'https://*.example.org' or a function."
  }
  if (typeof origins === 'string') {
    return origins.includes('://') ? `Write a list: [${JSON.stringify(origins)}].` : "Did you mean 'same-origin'?"
  }
  return "Write 'same-origin', a list such as ['https://app.example'], or a function."
}

function compileOrigin(text: string, path: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? []
  const name = scheme.toLowerCase()
  if (text === 'null')
    throw badOption(path, text, 'Every page can send it. `dangerouslyAllowNullOrigin: true` admits it.')
  if (scheme === '') throw badOption(path, text, 'Write the scheme too, such as "https://app.example".')
  if (name === 'wss' || name === 'ws') {
    throw badOption(path, text, `Origin names the page, not the socket: write "http${name.slice(2)}://...".`)
  }
  if (name !== 'https' && name !== 'http') return compileOtherOrigin(text, name, path)
  const host = readConfiguredHost(rest)
  if (host !== undefined) return `${name}://${serializeHost(host, name)}`
  const meant = URL.parse(text)?.origin ?? 'https://app.example'
  throw badOption(
    path,
    text,
    `An origin has a scheme, a host and perhaps a port, nothing else. Did you mean "${meant}"?`,
  )
}

/** `**.`: any depth. `*.`: one label, as in a TLS certificate. The rest must be a host that somebody can own. */
function compileWildcard(text: string, path: string): { parent: string; depth: 'one' | 'any' } {
  const [, scheme = '', stars, rest = ''] = /^(https?):\/\/(\*\*?)\.([^*]+)$/i.exec(text) ?? []
  const host = readConfiguredHost(rest)
  if (scheme === '' || host === undefined) throw badOption(path, text, adviceForWildcard(text))
  if (!host.name.includes('.') || host.name.endsWith('.')) {
    throw badOption(
      path,
      text,
      'Everybody can register a name under it. Name a domain of yours: "https://*.example.org".',
    )
  }
  if (/^[\d.]+$|^\[/.test(host.name)) throw badOption(path, text, 'An address has no names in front of it.')
  const name = scheme.toLowerCase() === 'https' ? 'https' : 'http'
  return { parent: `${name}://${serializeHost(host, name)}`, depth: stars === '*' ? 'one' : 'any' }
}

function adviceForWildcard(text: string): string {
  if (text === '*') return 'To admit every page, import `dangerouslyAllowAnyOrigin` and set it in place of the list.'
  return 'A wildcard is "https://*.example.org" (one label) or "https://**.example.org" (any depth), and has no path.'
}

const neverOrigins = new Set(['data', 'blob', 'filesystem', 'javascript', 'about', 'null'])

/** Extensions and app shells. */
function compileOtherOrigin(text: string, scheme: string, path: string): string {
  if (neverOrigins.has(scheme)) throw badOption(path, text, 'Browsers never send that as an Origin of its own.')
  if (!isOtherOrigin(text))
    throw badOption(path, text, 'Write it as the browser sends it, letter by letter: "chrome-extension://id".')
  return text
}
