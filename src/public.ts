// By name, never `*`: what is not here is not promised.
export type { Enforce, EnforceOptions } from './admission/enforcement.ts'
export { dangerouslyAllowAnyOrigin, type OriginFunction } from './admission/origin.ts'
export type { SecureSocket } from './augmentation.ts'
export type {
  AuthenticateFunction,
  AuthenticateOption,
  Authenticator,
  IssuedTicket,
} from './authentication/authentication.ts'
export { type BasicOptions, basic } from './authentication/basic.ts'
export { bearer } from './authentication/bearer.ts'
export type { BearerOptions } from './authentication/bearer-options.ts'
export { type ClientCertificateOptions, clientCertificate } from './authentication/client-certificate.ts'
export { type CookieSession, type CookieSessionOptions, cookieSession } from './authentication/cookie-session.ts'
export { type FromRequestOptions, fromRequest } from './authentication/from-request.ts'
export { type TicketAuthenticator, type TicketOptions, ticket } from './authentication/ticket.ts'
export {
  type MemoryTicketsOptions,
  memoryTickets,
  type StoredTicket,
  type TicketStore,
} from './authentication/ticket-store.ts'
export type { DrainReport } from './connection/drain.ts'
export type { SendOptions } from './connection/port.ts'
export type { Contract, ContractOptions } from './contract/contract.ts'
export type { Budget, SecureWsInstance, SocketDescription, Stats } from './decorator.ts'
export { createEmitter, type Emitter, type EmitterAudience, type EmitterOptions } from './emitter.ts'
export { CloseCode, SecureWsError, type SecureWsErrorCode } from './errors.ts'
export type { RegisteredOptions } from './fastify.ts'
export type { BusHealth, Health, HealthHandler, HealthReply } from './health.ts'
export type { Policy } from './lock/policy.ts'
export type { Revoked, RoomMember } from './node.ts'
export type { GuardPolicy } from './options/guard.ts'
export type { LimitOptions } from './options/limits.ts'
export type { SecureWsOptions, SessionOptions } from './options/options.ts'
export { encodeFor } from './outbound/encode-for.ts'
export { dangerouslyTrustHtml, Encoded } from './outbound/encoded.ts'
export type { EncodeMode } from './outbound/outbound.ts'
export { html } from './outbound/template.ts'
export { type RedisBusOptions, redisBus } from './redis/redis-bus.ts'
export { redisTickets } from './redis/ticket-store.ts'
export type { Bus, BusState, SharedStores } from './relay/bus.ts'
export { memoryBus } from './relay/memory-bus.ts'
export type { RemoteSocket } from './remote/order.ts'
export type { Told } from './remote/remote-sockets.ts'
export type { Kicked } from './remote/whom.ts'
export type { Audience, BroadcastMessages, BroadcastOptions } from './rooms/audience.ts'
export type { Grant } from './rooms/rooms.ts'
export { type SanitizeOptions, sanitizeHtml } from './sanitizing/sanitizing.ts'
export type { DatedSecret, Secret } from './secrets.ts'
export { anySession } from './session/any-session.ts'
export type { Session, SessionMembers } from './session/session.ts'
export type { Subject } from './session/subject.ts'
export { type MessagesOf, type SocketRoute, socketRoute } from './socket-route.ts'
export type { AuditEvent, AuditType } from './telemetry/audit.ts'
export { type AuditChain, type AuditChainOptions, auditChain } from './telemetry/audit-chain.ts'
