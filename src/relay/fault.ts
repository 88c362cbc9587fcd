/** A fault between this node and the bus, by a name that an operator can look up. */
export interface BusFault {
  /** In our own words: safe in an audit event. The same name is the same fault. */
  readonly name: string
  readonly advice: string
  /** After another fault it is no news: a bus has two connections, and the second one notices later. */
  readonly follows?: true
}

interface Kind extends BusFault {
  readonly codes: RegExp
  readonly text: RegExp
}

/** The first that fits. Codes are Node's, texts those that Redis begins its answers with. */
const kinds: readonly Kind[] = [
  {
    name: 'wrong password',
    advice: 'Check the user and the password that the bus was given.',
    codes: /^$/,
    text: /^(?:WRONGPASS|NOAUTH)\b|invalid (?:username-password|password)/i,
  },
  {
    name: 'missing right',
    advice: 'Give the user this right; docs/scaling.md lists every command and channel that is needed.',
    codes: /^$/,
    text: /^NOPERM\b/,
  },
  {
    name: 'unknown host',
    advice: 'No address was found for the host name. Check how it is spelt, and the DNS of this machine.',
    codes: /^(?:ENOTFOUND|EAI_\w+)$/,
    text: /^$/,
  },
  {
    name: 'TLS failed',
    advice:
      'The certificate was refused, or the other side speaks no TLS. Check `tls.ca` and `tls.servername`, and that the port is the one for rediss://.',
    codes: /^(?:ERR_TLS_\w+|ERR_SSL_\w+|EPROTO|CERT_\w+|\w*SELF_SIGNED_CERT\w*|UNABLE_TO_\w+|HOSTNAME_MISMATCH)$/,
    text: /^$/,
  },
  {
    name: 'connection refused',
    advice: 'Nothing listens at that address. Check host and port, and that Redis runs.',
    codes: /^(?:ECONNREFUSED|ENOENT|EACCES)$/,
    text: /^$/,
  },
  {
    name: 'not ready',
    advice: 'The server is loading its data, or is a replica that takes no writes.',
    codes: /^$/,
    text: /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN)\b/,
  },
  {
    name: 'connection lost',
    follows: true,
    advice:
      'The other side has closed the connection, or does not answer. A server that speaks TLS only does so, too: write rediss://.',
    codes: /^(?:ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)$/,
    text: /^(?:Socket (?:closed|timeout)|Connection timeout|connect ETIMEDOUT)/i,
  },
]

/** Sentences of this package: they hold nothing that anybody else has written. */
const ownText =
  /^(?:envelope larger than \d+ characters|Redis is away|no answer from (?:Redis|the bus) within \d+ ms|too many commands wait for Redis|the bus is closed|not a topic|\d+ revocations are not stored, and lost with this node unless another one knows them|\d+ stored revocations refused: bad signature|the store of revocations holds something that cannot be read, or counts what it does not hold|the denial store is written by somebody else|a copy of this process speaks under its name: it has taken another one|not a broadcast)$/

/** Names the fault, or is `undefined` for an error that names no cause: the symptom of one, a fault of ours, a foreign bus. */
export function faultOf(error: unknown): BusFault | undefined {
  const { code, message, inner } = read(error)
  const kind = kinds.find(
    ({ codes, text }) => (code !== '' && codes.test(code)) || (message !== '' && text.test(message)),
  )
  if (kind === undefined) return inner === undefined ? undefined : faultOf(inner)
  return kind.name === 'missing right' ? { ...kind, name: `${kind.name}${rightOf(message)}` } : kind
}

/** Says of a fault as much as an audit event may: our own sentence, the name of the fault, or the kind of error. Never what others wrote. */
export function reasonOf(error: unknown): string {
  const { name, message } = read(error)
  return ownText.test(message) ? `${name}: ${message}` : (faultOf(error)?.name ?? name)
}

/** True for what follows from a fault that has a name of its own: the name is the news. */
export function isSymptom(error: unknown): boolean {
  return /^(?:Redis is away|no answer from Redis|Connection is closed)/.test(read(error).message)
}

/** `NOPERM User app has no permissions to run the 'publish' command`. */
function rightOf(message: string): string {
  const command = /'([a-z|]{1,40})' command/i.exec(message)?.[1]
  if (command !== undefined) return `: ${command.toUpperCase()}`
  if (/\bchannel/i.test(message)) return ': a channel'
  return /\bkeys?\b/i.test(message) ? ': a key' : ''
}

interface Read {
  readonly name: string
  readonly code: string
  readonly message: string
  /** Several attempts, or the cause of one: Node tries each address of a name. */
  readonly inner: unknown
}

/** Never throws: whoever wrote the bus may throw anything. */
function read(error: unknown): Read {
  try {
    if (!(error instanceof Error)) return { name: typeof error, code: '', message: '', inner: undefined }
    const code: unknown = Reflect.get(error, 'code')
    const parts: unknown = Reflect.get(error, 'errors')
    return {
      name: /^[A-Za-z]\w{0,63}$/.test(error.name) ? error.name : 'Error',
      code: typeof code === 'string' ? code : '',
      message: typeof error.message === 'string' ? error.message : '',
      inner: error.cause ?? (Array.isArray(parts) ? parts[0] : undefined),
    }
  } catch {
    return { name: 'object', code: '', message: '', inner: undefined }
  }
}
