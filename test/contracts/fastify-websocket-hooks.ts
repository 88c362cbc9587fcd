/**
 * `node --import` of this file puts the package in front of @fastify/websocket in @fastify/websocket's own tests, which are
 * run from where they are installed and not changed.
 */
import { registerHooks } from 'node:module'
import { Socket } from 'node:net'

const suite = new URL('../../node_modules/@fastify/websocket/test/', import.meta.url).href
const instead = new Map([
  ['..', new URL('./fastify-websocket-front.ts', import.meta.url).href],
  ['ws', new URL('./fastify-websocket-client.ts', import.meta.url).href],
])

registerHooks({
  resolve(specifier, context, next) {
    const url = context.parentURL?.startsWith(suite) ? instead.get(specifier) : undefined
    return url === undefined ? next(specifier, context) : { url, format: 'module-typescript', shortCircuit: true }
  },
})

/** Two of the tests write their handshake by hand: without the Origin of a page, and one of them without a Host. */
const { write } = Socket.prototype
Socket.prototype.write = function (this: Socket, chunk: unknown, ...rest: unknown[]) {
  return Reflect.apply(write, this, [typeof chunk === 'string' ? asAPageDoes(chunk) : chunk, ...rest])
}

function asAPageDoes(text: string): string {
  if (!/^GET [^\r]*\r\n(?=[\s\S]*\r\nUpgrade: websocket\r\n)(?![\s\S]*\r\nOrigin: )/i.test(text)) return text
  const host = /\r\nHost: /i.test(text) ? '' : 'Host: localhost\r\n'
  return text.replace('\r\n', `\r\n${host}Origin: http://localhost\r\n`)
}
