import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textOf } from '../house/source-files.ts'
import { atPort, clientLines, serve, tested } from './client-lines.ts'

const lines = clientLines()

for (const [client, run] of tested) {
  test(`the line for ${client} connects, and is refused by name without the cookie`, async (t) => {
    const served = await serve()
    t.after(() => served.close())
    const line = lines.get(client)
    assert.ok(line, 'on the page')
    assert.match(await run(atPort(line, served.port), served), /welcome|HTTP\/1\.1 101/)
    if (client.startsWith('browser')) return
    const refused = await run(atPort(line, served.port), { ...served, cookie: 'other=1' })
    assert.match(refused, client === 'curl' ? /401 Unauthorized[\s\S]*secure-ws-code: SWS_UNAUTHENTICATED/ : /refused/)
  })
}

test('the page says of each client whether its line was run', () => {
  const page = textOf('docs/troubleshooting.md').replace(/\s+/g, ' ')
  const run = /A test runs the lines of (.*?)\. /.exec(page)?.[1] ?? ''
  const byHand = /`npm run clients` runs (.*?) as well/.exec(page)?.[1] ?? ''
  const notRun = /The lines of (.*?) are from their manuals/.exec(page)?.[1] ?? ''
  const words = (client: string) => /^(?:browser|wscat|ws|curl|Node|Python|k6|Postman)/.exec(client)?.[0] ?? client
  assert.deepEqual(
    [...lines.keys()].filter(
      (client) => ![run, byHand, notRun].some((text) => new RegExp(`\\b${words(client)}\\b`).test(text)),
    ),
    [],
  )
  assert.deepEqual(
    [...tested.keys()].filter((client) => !new RegExp(`\\b${words(client)}\\b`).test(run)),
    [],
  )
})
