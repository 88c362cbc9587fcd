import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileBinary, readBinary } from '../../src/inbound/binary.ts'
import fc from '../harness/fast-check.ts'

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const allowed = new Set(['image/png'])

describe('readBinary', () => {
  it('CS-15 delivers what starts as an allowed type, byte for byte', async () => {
    const read = await readBinary(png, allowed)
    assert.ok('kind' in read)
    assert.equal(read.mime, 'image/png')
    assert.equal(read.bytes, png)
  })

  it('CS-15 refuses with 1003 whatever starts as something else', async () => {
    const others = {
      jpeg: [0xff, 0xd8, 0xff, 0xe0, 0, 0x10, 0x4a, 0x46, 0x49, 0x46, 0, 1],
      gif: Buffer.from('GIF89a\u0001\u0000'),
      elf: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      zip: [0x50, 0x4b, 5, 6, ...Array(18).fill(0)],
      pdf: Buffer.from('%PDF-1.7\n'),
      html: Buffer.from('<!doctype html><script>alert(1)</script>'),
      svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
      json: Buffer.from('{"type":"say","text":"hi"}'),
      'a PNG behind something else': Buffer.concat([Buffer.from('GIF89a'), png]),
      'a PNG cut short': png.subarray(0, 7),
      empty: [],
    }
    for (const [name, bytes] of Object.entries(others)) {
      const read = await readBinary(Buffer.from(bytes), allowed)
      assert.ok('code' in read, name)
      assert.equal(read.code, 'SWS_BINARY_REFUSED', name)
      assert.equal(read.close, 1003, name)
    }
  })

  it('neither throws nor delivers for arbitrary bytes', async () => {
    const heads = fc.constantFrom(
      '',
      'PK\u0003\u0004',
      'RIFF',
      'ID3\u0004',
      'OggS',
      '\u001aE\u00df\u00a3',
      '<?xml ',
      'II*\u0000',
      '\u0000\u0000\u0000 ftyp',
    )
    await fc.assert(
      fc.asyncProperty(heads, fc.uint8Array({ maxLength: 600 }), async (head, rest) => {
        const read = await readBinary(Buffer.concat([Buffer.from(head, 'latin1'), rest]), allowed)
        assert.ok('code' in read)
      }),
      { numRuns: 300 },
    )
  })
})

describe('compileBinary', () => {
  it('takes types that have a magic number', () => {
    assert.equal(compileBinary(undefined, 'binary'), undefined)
    assert.deepEqual(
      compileBinary(['image/png', 'application/pdf'], 'binary'),
      new Set(['image/png', 'application/pdf']),
    )
  })

  it('refuses types that no byte can prove, wildcards and misspellings', () => {
    for (const binary of [
      ['image/svg+xml'],
      ['text/html'],
      ['image/*'],
      ['image/PNG'],
      ['png'],
      [],
      'image/png',
      [7],
      true,
    ]) {
      assert.throws(() => compileBinary(binary, 'secureWs.binary'), {
        code: 'SWS_BAD_OPTION',
        message: /secureWs\.binary/,
      })
    }
  })
})
