/** The bytes of a handshake that must not get in, and what it would mean if it did. */
export interface HostileHandshake {
  /** The attack, in words. */
  readonly name: string
  /** The line of defence that it tries. */
  readonly against: 'origin' | 'no origin' | 'null origin' | 'host' | 'shape'
  /** Latin-1: one character, one byte. */
  readonly bytes: string
}

/** The handshake that gets in, from which the attacks are made. */
export interface Victim {
  /** The path of the route. */
  readonly path: string
  /** Its `Host`. */
  readonly host: string
  /** Its `Origin`; `null` for an application whose clients send none. */
  readonly origin: string | null
  /**
   * Of a client that gets in: the attacks are tried with the visitor's own credentials, as a browser would. Default:
   * none.
   */
  readonly headers?: Readonly<Record<string, string>>
  /** Its sub-protocols. Default: none. */
  readonly protocols?: readonly string[]
}

/**
 * The attacks of a page, a rebound name and a raw client: cross-site WebSocket hijacking, DNS rebinding, and handshakes that
 * servers read in more than one way.
 */
export function hostileHandshakes({ path, host, origin, headers = {}, protocols = [] }: Victim): HostileHandshake[] {
  const own = { ...headers, ...(protocols.length > 0 && { 'Sec-WebSocket-Protocol': protocols.join(', ') }) }
  const usual = { Host: host, Origin: origin, Upgrade: 'websocket', Connection: 'Upgrade', ...versionAndKey, ...own }
  const attack = (
    name: string,
    changes: Readonly<Record<string, string | readonly string[] | null>>,
    against: HostileHandshake['against'] = 'shape',
    method = 'GET',
  ) => {
    const lines = Object.entries({ ...usual, ...changes }).flatMap(([key, value]) =>
      value === null ? [] : [value].flat().map((each) => `${key}: ${each}\r\n`),
    )
    return { name, against, bytes: `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n` }
  }
  const shape = [
    attack('another method than GET', {}, 'shape', 'POST'),
    attack('a rebound host name', { Host: 'rebind.attacker.example' }, 'host'),
    attack('two Host headers', { Host: [host, 'rebind.attacker.example'] }, 'host'),
    attack('version 8, whose origin is in another header', { 'Sec-WebSocket-Version': '8' }),
    attack('another protocol than websocket', { Upgrade: 'h2c' }),
    attack('a body, which would be read as frames', { 'Content-Length': '4' }),
    attack('a page that a browser navigates to', { 'Sec-Fetch-Mode': 'navigate' }),
  ]
  const foreign = attack('a page of another origin', { Origin: 'https://attacker.example' }, 'origin')
  const sandboxed = attack('a sandboxed frame', { Origin: 'null' }, 'null origin')
  if (origin === null) return [...shape, foreign, sandboxed]
  const { protocol, hostname, port } = new URL(origin)
  const behind = port === '' ? '' : `:${port}`
  return [
    ...shape,
    foreign,
    sandboxed,
    attack('no page at all', { Origin: null }, 'no origin'),
    attack('our origin and a foreign one', { Origin: [origin, 'https://attacker.example'] }, 'origin'),
    attack('a name that ends like ours', { Origin: `${protocol}//attacker${hostname}${behind}` }, 'origin'),
    attack('a name that begins like ours', { Origin: `${protocol}//${hostname}.attacker.example${behind}` }, 'origin'),
    attack('our name as a user name', { Origin: `${protocol}//${hostname}@attacker.example` }, 'origin'),
    attack('our name on another port', { Origin: `${protocol}//${hostname}:${port === '1' ? 2 : 1}` }, 'origin'),
    attack(
      'our name with another scheme',
      {
        Origin: `${protocol === 'https:' ? 'http' : 'https'}://${hostname}${behind}`,
      },
      'origin',
    ),
    attack('our origin as a prefix of a path', { Origin: `${origin}/` }, 'origin'),
  ]
}

const versionAndKey = { 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }
