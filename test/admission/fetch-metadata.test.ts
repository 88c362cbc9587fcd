import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFetchMetadata } from '../../src/admission/fetch-metadata.ts'
import { factsOf } from './facts.ts'

function check(headers: Readonly<Record<string, string>>, sameOriginOnly: boolean) {
  return checkFetchMetadata(factsOf({ headers }), sameOriginOnly)
}

for (const sameOriginOnly of [true, false]) {
  const rule = sameOriginOnly ? "with 'same-origin'" : 'with listed origins'

  test(`${rule}: no metadata is fine, Chromium sends none`, () => assert.equal(check({}, sameOriginOnly), undefined))

  test(`${rule}: what Firefox and Safari send is fine`, () => {
    const headers = { 'Sec-Fetch-Mode': 'websocket', 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Dest': 'empty' }
    assert.equal(check(headers, sameOriginOnly), undefined)
  })

  for (const mode of ['navigate', 'no-cors', 'cors', 'same-origin', 'WebSocket', '']) {
    test(`${rule}: CS-5 Sec-Fetch-Mode "${mode}" is refused`, () => {
      const refusal = check({ 'Sec-Fetch-Mode': mode, 'Sec-Fetch-Site': 'same-origin' }, sameOriginOnly)
      assert.equal(refusal?.code, 'SWS_FETCH_METADATA_REFUSED')
      assert.equal(refusal?.status, 403)
    })
  }

  for (const site of ['bogus', '', 'Same-Origin', 'same-origin, cross-site']) {
    test(`${rule}: CS-5 Sec-Fetch-Site "${site}" is refused`, () => {
      assert.ok(check({ 'Sec-Fetch-Site': site }, sameOriginOnly))
    })
  }

  test(`${rule}: CS-5 cross-site beside our own Origin is a contradiction`, () => {
    assert.ok(check({ 'Sec-Fetch-Site': 'cross-site' }, sameOriginOnly))
  })
}

for (const site of ['same-site', 'cross-site', 'none']) {
  const headers = { Origin: 'https://sibling.example', 'Sec-Fetch-Site': site }
  test(`a listed foreign origin may be ${site}`, () => assert.equal(check(headers, false), undefined))
  test(`CS-5 with 'same-origin' ${site} is refused`, () => assert.ok(check(headers, true)))
}

test('an opaque origin that was admitted by name is cross-site', () => {
  assert.equal(check({ Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }, true), undefined)
})
