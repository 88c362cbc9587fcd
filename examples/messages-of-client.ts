import { connect } from 'fastify-secure-ws/client'
import type { Sums } from './messages-of.ts'

const url = process.argv[2] ?? 'http://localhost:3000/sums'
// In a page this is `connect<Sums>('/sums')`: a browser says its origin by itself.
const client = connect<Sums>(url, { credential: () => ({ headers: { origin: new URL(url).origin } }) })

const three: number = await client.request('add', { left: 1, right: 2 })
console.log(three)
await client.close()
