import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { testCertificate } from '../harness/certificate.ts'
import { freePort } from '../harness/free-port.ts'
import { handshakeText, type RawAnswer, rawConnect, rawHandshake } from '../harness/raw-client.ts'
import { requireTool, tools } from '../harness/tools.ts'
import { until } from '../harness/until.ts'
import { textOf } from '../house/source-files.ts'
import { assertRefused, startJourney } from './journey.ts'

// CS-4, 4.1.3, 15.3.4: a real nginx ends TLS on loopback and passes on. What it says counts; what a client says in its place does not.

async function startNginx(t: TestContext, upstream: number, location: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'secure-ws-nginx-'))
  const port = await freePort()
  const { key, cert } = await testCertificate()
  await writeFile(join(folder, 'key.pem'), key, { mode: 0o600 })
  await writeFile(join(folder, 'cert.pem'), cert)
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr error;
     events { worker_connections 64; }
     http {
       access_log off; ${temp.join(' ')}
       server {
         listen 127.0.0.1:${port} ssl;
         ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
         location / {
           proxy_pass http://127.0.0.1:${upstream};
           ${location}
         }
       }
     }`,
  )
  const nginx: ChildProcess = spawn(requireTool(tools.nginx), ['-c', join(folder, 'nginx.conf'), '-p', folder], {
    stdio: 'inherit',
  })
  const exited = new Promise((resolve) => nginx.once('exit', resolve))
  t.after(async () => {
    nginx.kill()
    await exited
    await rm(folder, { recursive: true, force: true })
  })
  await until(async () => {
    try {
      ;(await rawConnect({ port })).close()
      return true
    } catch {
      return false
    }
  }, 'nginx listens')
  return port
}

/** The lines of docs/deploying.md: every forwarded header is set, so that none of the client's own gets through. */
const asDocumented = (/^```nginx\n([\s\S]*?)^```$/m.exec(textOf('docs/deploying.md'))?.[1] ?? '')
  .split('\n')
  .filter((line) => /^\s+proxy_(?!pass)/.test(line))
  .join('\n')

const upgrade = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'

const options = {
  origins: ['https://app.example'],
  authenticate: () => ({ id: 's1' }),
}
const right = { Host: 'app.example', Origin: 'https://app.example' }
const through = (port: number, headers: Record<string, string>) =>
  rawHandshake({ port, tls: true, bytes: handshakeText({ headers }) })

/** `Connection` and `Server` are nginx's here. */
function refusedWith({ status, body }: RawAnswer, expected: number, code: string): void {
  assert.equal(status, expected)
  assert.equal(Reflect.get(Object(JSON.parse(body)), 'code'), code)
}

test('CS-4 behind nginx: the right handshake is admitted, talks, and has the address that nginx saw', async (t) => {
  const journey = await startJourney(t, options, { server: { trustProxy: '127.0.0.1' } })
  const port = await startNginx(t, journey.port, asDocumented)
  const connection = await rawConnect({ port, tls: true })
  t.after(() => connection.close())
  connection.write(handshakeText({ headers: right }))
  const answer = await connection.answer()
  assert.equal(answer.status, 101)
  let text = answer.body
  connection.socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  connection.socket.resume()
  // A masked text frame with a mask of zeros: "<b>".
  connection.write(Buffer.from([0x81, 0x83, 0, 0, 0, 0, 0x3c, 0x62, 0x3e]))
  await until(() => text.includes('&lt;b&gt;'), 'the echo comes back encoded')
  assert.equal(journey.app.secureWs.sockets()[0]?.address, '127.0.0.1')
  connection.close()
  await until(() => journey.app.secureWs.sockets().length === 0, 'it has gone')
})

test('4.1.3 15.3.4 behind nginx: what a client forges changes nothing', async (t) => {
  const journey = await startJourney(t, options, { server: { trustProxy: '127.0.0.1' } })
  const port = await startNginx(t, journey.port, asDocumented)
  const forged = {
    'X-Forwarded-For': '203.0.113.7',
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Host': 'evil.example',
    Forwarded: 'for=203.0.113.7;host=evil.example;proto=http',
  }
  assert.equal((await through(port, { ...right, ...forged })).status, 101)
  assert.equal(journey.events.find(({ type }) => type === 'handshake.accepted')?.address, '127.0.0.1')
  const evil = { Host: 'evil.example', Origin: 'https://evil.example' }
  refusedWith(await through(port, { ...evil, 'X-Forwarded-Host': 'app.example' }), 421, 'SWS_HOST_REFUSED')
  refusedWith(await through(port, { ...right, Origin: 'https://evil.example' }), 403, 'SWS_ORIGIN_REFUSED')
  // Past the proxy, from an address that is trusted because the proxy has it: plain is plain unless it is said otherwise.
  assertRefused(await journey.ask({ headers: right }), 426, 'SWS_INSECURE_TRANSPORT')
})

for (const trustProxy of [false, '192.0.2.1', ['10.0.0.0/8']] as const) {
  test(`CS-1 behind nginx that is not trusted (trustProxy: ${JSON.stringify(trustProxy)}): nothing it says counts`, async (t) => {
    const journey = await startJourney(t, options, { server: { trustProxy } })
    const port = await startNginx(t, journey.port, asDocumented)
    refusedWith(await through(port, right), 426, 'SWS_INSECURE_TRANSPORT')
    assertRefused(
      await journey.ask({ headers: { ...right, 'X-Forwarded-Proto': 'https' } }),
      426,
      'SWS_INSECURE_TRANSPORT',
    )
    assert.ok(journey.lines.some((line) => line.includes('name its address in Fastify')))
  })
}

for (const trustProxy of [true, ['127.0.0.1'], '127.0.0.0/8', (address: string) => address === '127.0.0.1']) {
  test(`behind nginx that is trusted (trustProxy: ${typeof trustProxy === 'function' ? 'a function' : JSON.stringify(trustProxy)})`, async (t) => {
    const journey = await startJourney(t, options, { server: { trustProxy } })
    const port = await startNginx(t, journey.port, asDocumented)
    assert.equal((await through(port, right)).status, 101)
  })
}

// `$host` has no port: behind a proxy on another port than 443 no origin is the same, and no listed host is meant.
test('behind nginx on a port of its own the documented `Host` is admitted, and one without the port is not', async (t) => {
  const own = { Host: 'app.example:8443', Origin: 'https://app.example:8443' }
  const journey = await startJourney(t, { ...options, origins: [own.Origin] }, { server: { trustProxy: '127.0.0.1' } })
  assert.equal((await through(await startNginx(t, journey.port, asDocumented), own)).status, 101)
  const withoutPort = asDocumented.replace('$http_host', '$host')
  refusedWith(await through(await startNginx(t, journey.port, withoutPort), own), 421, 'SWS_HOST_REFUSED')
})

test('every line for nginx that the advice and the pages name is one of docs/deploying.md', () => {
  assert.equal(asDocumented.split('\n').length, 7)
  const named = ['src/admission/advice.ts', 'docs/troubleshooting.md'].flatMap((path) =>
    [...textOf(path).matchAll(/proxy_(?:set_header|http_version) [^;`]+;/g)].map(([line]) => line),
  )
  assert.ok(named.length > 6)
  assert.deepEqual(
    named.filter((line) => !asDocumented.includes(line)),
    [],
  )
})

// The configuration that half of the web copies: Host becomes the upstream's own name, and the scheme is not passed on.
test('behind nginx that passes nothing on, the refusal is not an open door', async (t) => {
  const journey = await startJourney(t, options, { server: { trustProxy: '127.0.0.1' } })
  const port = await startNginx(t, journey.port, upgrade)
  assert.notEqual((await through(port, right)).status, 101)
  const named = await startNginx(t, journey.port, `${upgrade} proxy_set_header X-Forwarded-Proto https;`)
  refusedWith(await through(named, right), 421, 'SWS_HOST_REFUSED')
})
