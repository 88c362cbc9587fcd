import { isIPv4, isIPv6 } from 'node:net'

/**
 * The key of everything whose address is missing or unreadable: one bucket for all of them together, so that hiding the
 * address is never a way around a limit.
 */
export const unknownAddress = 'unknown'

/**
 * What limits count by: an IPv4 address as it is, an IPv6 address by its /64 (one subscriber owns at least that, and can
 * take 2^64 addresses from it). An address that a translator or a tunnel made of an IPv4 address counts as that one: all of
 * IPv4 would share one /64 otherwise, or one client would have two addresses. Some proxies append a port.
 */
export function addressKey(address: string | undefined): string {
  if (address === undefined) return unknownAddress
  if (isIPv4(address)) return address
  const bare = /^\[(?<v6>[^\]]*)\](?::\d+)?$|^(?<v4>[\d.]+):\d+$/.exec(address)?.groups
  const ip = bare?.v6 ?? bare?.v4 ?? address
  if (isIPv4(ip)) return ip
  const groups = readIPv6(ip)
  if (groups === undefined) return unknownAddress
  return (
    mappedIPv4(groups) ??
    embeddedIPv4(groups) ??
    `${groups
      .slice(0, 4)
      .map((group) => group.toString(16))
      .join(':')}::/64`
  )
}

/** 127.0.0.0/8, ::1 and the IPv4-mapped forms of the former. Anything unreadable is not loopback. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false
  if (isIPv4(address)) return address.startsWith('127.')
  const groups = readIPv6(address)
  if (groups === undefined) return false
  if (groups.every((group, index) => group === (index === 7 ? 1 : 0))) return true
  return mappedIPv4(groups)?.startsWith('127.') ?? false
}

/** The eight groups, or `undefined` for anything that Node does not call an IPv6 address. A zone (`%eth0`) is dropped. */
function readIPv6(text: string): number[] | undefined {
  if (!isIPv6(text)) return undefined
  const withoutZone = text.split('%', 1)[0] ?? ''
  const [front = '', back] = withoutZone.split('::')
  const before = readGroups(front)
  const after = back === undefined ? [] : readGroups(back)
  const gap = back === undefined ? 0 : 8 - before.length - after.length
  return [...before, ...new Array<number>(gap).fill(0), ...after]
}

function readGroups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}

function mappedIPv4(groups: readonly number[]): string | undefined {
  const [a, b, c, d, e, mark, high, low] = groups
  if (a !== 0 || b !== 0 || c !== 0 || d !== 0 || e !== 0 || mark !== 0xffff) return undefined
  return dotted(high, low)
}

/** For counting only: these are written by a machine in between, and say nothing of where the other end is. */
function embeddedIPv4(groups: readonly number[]): string | undefined {
  const [a, b, c, d, e, f, high = 0, low = 0] = groups
  // NAT64 (RFC 6052 section 2.1), and stateless translation (RFC 2765 section 2.1).
  if (a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0) return dotted(high, low)
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0xffff && f === 0) return dotted(high, low)
  // A translator's own prefix of these (RFC 8215): where in it the IPv4 address stands is the translator's choice.
  if (a === 0x64 && b === 0xff9b && c === 1) return groups.map((group) => group.toString(16)).join(':')
  // 6to4 (RFC 3056 section 2), and Teredo (RFC 4380 section 4), whose /64 is the one of its server.
  if (a === 0x2002) return dotted(b, c)
  if (a === 0x2001 && b === 0) return dotted(high ^ 0xffff, low ^ 0xffff)
  return undefined
}

function dotted(high = 0, low = 0): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
