import type { History, RefusalRecord, RevocationRecord, SocketRecord, Span, Violation } from './history.ts'

/** A revocation that `revoke` said was stored holds on every node after so long, in ms. */
const bound = 1_000
/** One that was not stored is put there by the node that knows it: it asks every 15 seconds, and when Redis is back. */
const unstoredBound = 16_000
/** The client's own closes. */
const own: ReadonlySet<number> = new Set([1000, 1005])
/** `limits.lookup` of the nodes, in ms. */
const lookup = 500
/** So many questions in a row has the application left open before a socket is closed with 1013. */
const failures = 3

/**
 * Holds a history against two sentences: nothing is handled for a revoked socket and nothing sent to it, from 1 second after
 * the revocation was stored, on the revoking node from its return; and nobody whose session is good is closed with 3000, or
 * refused with 401. A close with 1013 and a refusal with 503 say that nobody could be asked, and are held against that.
 */
export function check(history: History): Violation[] {
  const bySession = grouped(history.revocations.filter(({ kind }) => kind === 'session'))
  const byUser = grouped(history.revocations.filter(({ kind }) => kind === 'user'))
  const about = ({ session, user }: { session: string; user: string }) => [
    ...(bySession.get(session) ?? []),
    ...(byUser.get(user) ?? []),
  ]
  return [
    ...history.sockets.flatMap((socket) => [
      ...about(socket)
        .filter((revocation) => mustHit(revocation, socket))
        .flatMap((revocation) => afterEnd(socket, revocation, history)),
      ...unexplained(socket, about(socket), history),
    ]),
    ...history.refusals.flatMap((refusal) => refusedWithoutReason(refusal, about(refusal), history)),
  ]
}

/** Milliseconds from the call of `revoke` to the close of each socket on another node, where nothing was done to Redis. */
export function latencies(history: History): number[] {
  const times: number[] = []
  for (const revocation of history.revocations) {
    if (!revocation.stored) continue
    for (const socket of history.sockets) {
      if (socket.node === revocation.node || !mustHit(revocation, socket)) continue
      if (socket.closed?.code !== 3000 || socket.closed.at < revocation.called.at) continue
      if (socket.openedAt > revocation.called.at) continue
      const span = { from: revocation.called.at, to: socket.closed.at }
      if (disturbed(socket.node, revocation.node, history).some((disturbance) => overlaps(disturbance, span))) continue
      times.push(socket.closed.at - revocation.called.at)
    }
  }
  return times.sort((a, b) => a - b)
}

/** Session names are never used again; a user may sign in again after the call. */
function mustHit({ kind, name, called }: RevocationRecord, { session, user, authenticatedAt }: Identified): boolean {
  return kind === 'session' ? name === session : name === user && authenticatedAt <= called.date
}

/** Whoever signed in within the difference that clocks may have is taken for somebody who came before. */
function mayHit(revocation: RevocationRecord, identified: Identified, skew: number): boolean {
  if (revocation.kind === 'session') return revocation.name === identified.session
  return revocation.name === identified.user && identified.authenticatedAt <= revocation.returned.date + skew
}

type Identified = Pick<SocketRecord, 'session' | 'user' | 'authenticatedAt'>

function afterEnd(socket: SocketRecord, revocation: RevocationRecord, history: History): Violation[] {
  const isOwn = socket.node === revocation.node
  const due = isOwn ? revocation.returned.at : dueAt(socket.node, revocation, history)
  // What the client hears has travelled: it may come later than it was sent.
  const heardDue = withStalls(isOwn ? due + bound : due, revocation.returned.at, history.clientStalls)
  const closedAt = socket.closed?.at ?? Number.POSITIVE_INFINITY
  const late: readonly (readonly [string, number, number])[] = [
    ['a message was delivered to a listener', socket.lastHandled, due],
    ['a message was made and sent', socket.lastMade, due],
    ['a message was sent', socket.lastHeard, heardDue],
    ['a socket was opened', socket.openedAt, heardDue],
    ['a socket stays open', Math.min(closedAt, history.endedAt), heardDue + 2 * bound],
  ]
  return late.flatMap(([what, at, until]) =>
    at > until ? [{ what: `${what} after a revocation`, socket, revocation, late: at - until }] : [],
  )
}

/** The moment from which a node must know: later where it, or the node that knows, was parted from Redis, or not run at all. */
function dueAt(node: number, { node: revoking, returned, stored }: RevocationRecord, history: History): number {
  let due = returned.at + (stored ? bound : unstoredBound)
  for (const away of parted(node, revoking, history)) {
    if (away.from <= due && away.to >= returned.at) due = Math.max(due, away.to + bound)
  }
  return withStalls(due, returned.at, [...(history.stalls[node] ?? []), ...(history.stalls[revoking] ?? [])])
}

function parted(node: number, other: number, { away }: History): Span[] {
  return [...(away[node] ?? []), ...(away[other] ?? [])].sort((a, b) => a.from - b.from)
}

function disturbed(node: number, other: number, history: History): Span[] {
  return [...parted(node, other, history), ...history.faults]
}

function withStalls(due: number, from: number, stalls: readonly Span[]): number {
  return stalls.reduce((sum, stall) => (overlaps(stall, { from, to: sum }) ? sum + stall.to - stall.from : sum), due)
}

function overlaps(a: Span, b: Span): boolean {
  return a.from <= b.to && a.to >= b.from
}

function unexplained(socket: SocketRecord, revocations: readonly RevocationRecord[], history: History): Violation[] {
  const { closed } = socket
  if (closed === undefined) return []
  if (own.has(closed.code)) return []
  if (closed.code === 3000) {
    if (isOver(socket, closed, revocations, history)) return []
    return [{ what: 'a socket whose session is good was closed with 3000', socket }]
  }
  const span = { from: socket.askedAt, to: closed.at }
  if (closed.code === 1013 && unansweredIn(span, socket, history) >= failures) return []
  if (closed.code === 1013 && stalledFor(socket.node, closed.at, history) > lookup) return []
  return [{ what: `a socket was closed with ${closed.code}`, socket }]
}

function refusedWithoutReason(
  refusal: RefusalRecord,
  revocations: readonly RevocationRecord[],
  history: History,
): Violation[] {
  const { status, node, at } = refusal
  const span = { from: refusal.askedAt, to: at }
  if (status === 503) {
    // Redis, or the store of the application.
    if ([...(history.away[node] ?? []), ...history.faults].some((outage) => overlaps(outage, span))) return []
    if (unansweredIn(span, refusal, history) > 0) return []
  }
  if (status === 401 && isOver(refusal, refusal, revocations, history)) return []
  return [{ what: `a session that is good was refused with ${status} on node ${node} at ${at.toFixed(0)}` }]
}

/** How long the machine has not run a node shortly before a moment: nobody could say whether a new token is good. */
function stalledFor(node: number, at: number, { stalls }: History): number {
  const since = at - 3 * lookup
  return (stalls[node] ?? [])
    .filter((stall) => overlaps(stall, { from: since, to: at }))
    .reduce((sum, { from, to }) => sum + Math.min(to, at) - Math.max(from, since), 0)
}

/** How many questions about a session its node was not answered in a span. */
function unansweredIn(
  { from, to }: Span,
  of: { readonly node: number; readonly session: string },
  history: History,
): number {
  const all = history.unanswered[of.node] ?? []
  return all.filter(({ session, at }) => session === of.session && at >= from && at <= to).length
}

function isOver(
  identified: Identified & { readonly expiresAt?: number | undefined },
  { at, date }: { readonly at: number; readonly date: number },
  revocations: readonly RevocationRecord[],
  { destroyed, clockSkew }: History,
): boolean {
  const { session, expiresAt } = identified
  if ((destroyed.get(session) ?? Number.POSITIVE_INFINITY) <= at) return true
  if (expiresAt !== undefined && expiresAt <= date) return true
  return revocations.some((one) => one.called.at <= at && mayHit(one, identified, clockSkew))
}

function grouped(revocations: readonly RevocationRecord[]): Map<string, RevocationRecord[]> {
  return Map.groupBy(revocations, ({ name }) => name)
}
