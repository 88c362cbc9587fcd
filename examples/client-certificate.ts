import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import secureWs, { clientCertificate } from 'fastify-secure-ws'

const file = (name: string) => readFileSync(`${process.env.CERTIFICATES ?? 'certificates'}/${name}`)
// Your list of devices: the fingerprint of a certificate, and the device that has it.
const devices = new Map([[file('device.fingerprint').toString().trim(), 'meter-7']])

const https = {
  key: file('server.key'),
  cert: file('server.crt'),
  // The authority of the devices. Without `requestCert` no client is asked for a certificate.
  ca: file('devices-ca.crt'),
  requestCert: true,
  rejectUnauthorized: false,
}
const app = Fastify({ logger: true, https })
await app.register(secureWs, {
  authenticate: clientCertificate({
    load({ fingerprint256, valid_to }) {
      const device = devices.get(fingerprint256)
      return device === undefined ? null : { id: device, userId: device, expiresAt: Date.parse(valid_to) }
    },
    revalidate: ({ id }) => [...devices.values()].includes(id),
  }),
})

app.get('/readings', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
