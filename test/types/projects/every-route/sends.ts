import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import secureWs, { encodeFor, html, sanitizeHtml } from 'fastify-secure-ws'
import { Type } from 'typebox'
import { createWebSocketStream } from 'ws'

const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(secureWs, { authenticate: false })

const sends = {
  said: { schema: Type.Object({ by: Type.String(), text: Type.String(), note: Type.Optional(Type.String()) }) },
  posted: { schema: Type.Object({ body: Type.String({ contentMediaType: 'text/html' }) }) },
  moved: {
    schema: Type.Object({
      at: Type.Tuple([Type.Number(), Type.Number()]),
      kind: Type.Union([Type.Literal('jump'), Type.Literal('walk')]),
      names: Type.Array(Type.String()),
      by: Type.Object({ name: Type.String() }),
    }),
  },
}

app.get(
  '/declared',
  { websocket: true, secureWs: { receives: { say: { schema: Type.Object({}) } }, sends } },
  async (socket) => {
    socket.send({ type: 'said', by: 'ada', text: 'hello' })
    socket.send({ type: 'said', by: 'ada', text: 'hello', note: 'n' }, { encode: 'json' }, () => {})
    socket.send({ type: 'said', by: html`<b>${'ada'}</b>`, text: 'hello' }, () => {})
    socket.send({ type: 'posted', body: 'dirty' })
    socket.send({ type: 'posted', body: await sanitizeHtml('dirty') })
    socket.send({ type: 'moved', at: [1, 2], kind: 'jump', names: ['a', html`b`], by: { name: html`c` } })
    const names: readonly string[] = ['a']
    socket.send({ type: 'moved', at: [1, 2] as const, kind: 'walk', names, by: { name: 'c' } })
    // Bytes are no markup and have no schema.
    socket.send(Buffer.from([1]))
    socket.send(new Uint8Array(1))
    socket.send(new ArrayBuffer(1), { binary: true })
    socket.send(new Blob(['x']))

    // @ts-expect-error TS2345: missing.
    socket.send({ type: 'said', by: 'ada' })
    // @ts-expect-error TS2345: wrong.
    socket.send({ type: 'said', by: 'ada', text: 1 })
    // @ts-expect-error TS2353: would be dropped.
    socket.send({ type: 'said', by: 'ada', text: 'hello', password: 'x' })
    // @ts-expect-error TS2353: not declared.
    socket.send({ type: 'shouted', by: 'ada', text: 'hello' })
    // @ts-expect-error TS2353: of another type.
    socket.send({ type: 'posted', by: 'ada', text: 'hello' })
    // @ts-expect-error TS2345: has no type.
    socket.send({ by: 'ada', text: 'hello' })
    // @ts-expect-error TS2345: text has none either.
    socket.send('hello')
    // @ts-expect-error TS2345
    socket.send(html`<b>hello</b>`)
    // @ts-expect-error TS2345: encoded for another place than the page.
    socket.send({ type: 'said', by: encodeFor.url('ada'), text: 'hello' })
    // @ts-expect-error TS2345: one of two words; markup is neither.
    socket.send({ type: 'moved', at: [1, 2], kind: html`jump`, names: [], by: { name: 'c' } })
    // @ts-expect-error TS2345: three coordinates.
    socket.send({ type: 'moved', at: [1, 2, 3], kind: 'jump', names: [], by: { name: 'c' } })

    const room = socket.to('room')
    room.send({ type: 'said', by: 'ada', text: html`hello` })
    room.to('other').except(socket).send({ type: 'posted', body: 'x' }, { encode: 'json' })
    room.send(Buffer.from([1]))
    room.send({ type: 'posted', body: 'x' }, { perMember: (session, message) => (session ? message : undefined) })
    // @ts-expect-error TS2322: what one member gets instead is declared as well.
    room.send({ type: 'posted', body: 'x' }, { perMember: () => ({ type: 'shouted' }) })
    // @ts-expect-error TS2345
    room.send({ type: 'said', by: 'ada' })
    // @ts-expect-error TS2345
    room.except(socket).to('other').send({ type: 'shouted' })
    // @ts-expect-error TS2345
    room.send('hello')

    // Rooms are not routes: from the instance anything may be sent, and each member's own route decides.
    app.secureWs.to('room').send({ type: 'shouted' })
  },
)

app.get('/raw-in', { websocket: true, secureWs: { sends } }, (socket) => {
  socket.on('message', (frame, isBinary) => {
    socket.send({ type: 'said', by: String(isBinary), text: frame.toString() })
    // @ts-expect-error TS2345
    socket.send(frame.toString())
  })
  // @ts-expect-error TS2379: a stream would write text, which this route does not send.
  createWebSocketStream(socket)
})

// `sends: {}` is a declaration: nothing but bytes goes out.
app.get('/silent', { websocket: true, secureWs: { sends: {} } }, (socket) => {
  socket.send(new Uint8Array(1))
  // @ts-expect-error TS2345
  socket.send({ type: 'said' })
})
