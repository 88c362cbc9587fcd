import { metrics } from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'

// Before the server is made: who registers later is not seen. Prometheus asks http://localhost:9464/metrics.
const reader = new PrometheusExporter({ host: '127.0.0.1', port: Number(process.env.METRICS_PORT ?? 9464) })
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false })
app.get('/clock', { websocket: true }, (socket) => socket.send({ type: 'now', at: new Date().toISOString() }))
await app.listen({ port: 3000 })
