import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits } from '../../src/options/limits.ts'
import { apiPage, publicSurface, type Surface, writtenApi } from './api.ts'
import { type Declaration, type Member, readDeclarations } from './declarations.ts'
import { textOf } from './source-files.ts'

const surface = publicSurface()

function declarationsOf({ exported, testing, client, routes, unexported }: Surface): Declaration[] {
  return [...exported, ...testing, ...client, ...routes, ...unexported]
}

/** Declarations and members that say nothing, and optional ones that keep their default to themselves. */
function silenceIn(declarations: readonly Declaration[], members: readonly Member[] = []): string[] {
  const silent = declarations.flatMap((declaration) => {
    const { name, doc } = declaration
    const own = declaration.members.filter((member) => member.doc === '').map((member) => `${name}.${member.name}`)
    return doc === '' ? [name, ...own] : own
  })
  const undefaulted = declarations
    .filter(({ name }) => isWritten(name))
    .flatMap(({ name, members: each }) => each.filter(saysNoDefault).map((member) => `${name}.${member.name}: default`))
  return [...silent, ...members.filter(({ doc }) => doc === '').map(({ name }) => `socket.${name}`), ...undefaulted]
}

/** Objects that a reader of the page writes, rather than is given. */
function isWritten(name: string): boolean {
  return /Options$|^Route|^ReceiveRules$|^Grant$|^Victim$/.test(name)
}

function saysNoDefault({ optional, doc }: Member): boolean {
  return optional && !/[Dd]efault|[Ll]eft out/.test(doc)
}

test('docs/api.md is what the declarations and their docstrings say', () => {
  assert.equal(textOf(apiPage), writtenApi(surface), 'run `npm run docs`')
})

test('every declaration and every member has a docstring, and every option its default', () => {
  assert.deepEqual(silenceIn(declarationsOf(surface), [...surface.socket, ...surface.events]), [])
})

// A docstring is a heading: it names the thing.
test('no docstring begins with a question word or a pronoun', () => {
  const docs = declarationsOf(surface).flatMap(({ name, doc, members }) => [
    [name, doc] as const,
    ...members.map((member) => [`${name}.${member.name}`, member.doc] as const),
  ])
  assert.deepEqual(
    docs.filter(([, doc]) => /^(?:What|Who|One|It) /.test(doc)).map(([name]) => name),
    [],
  )
  assert.deepEqual(
    docs.filter(([, doc]) => /\b(?:is|are) none\b/.test(doc)).map(([name]) => name),
    [],
    'says of a thing that it is none',
  )
})

// A word with an `@` in front is a tag to an editor: it, and what follows, is not shown where it was written.
test('no docstring has a tag that nobody meant', () => {
  assert.deepEqual(surface.strayTags, [])
})

test('the default in the docstring of each limit is the one in force', () => {
  const limits = surface.exported.find(({ name }) => name === 'LimitOptions')
  assert.ok(limits)
  const numbersOf = (value: unknown): string[] =>
    typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(numbersOf)
      : [Number(value).toLocaleString('en-US')]
  assert.deepEqual(limits.members.map(({ name }) => name).sort(), Object.keys(defaultLimits).sort())
  const wrong = limits.members.filter(({ name, doc }) => {
    const said: string[] = /\bdefault\b.*/is.exec(doc)?.[0].match(/\d[\d,]*\d|\d/g) ?? []
    return numbersOf(Reflect.get(defaultLimits, name)).some((number) => !said.includes(number))
  })
  assert.deepEqual(
    wrong.map(({ name, doc }) => `${name}: ${doc}`),
    [],
  )
})

test('what is not documented is seen, and so is a stray tag', () => {
  const files = {
    'src/index.ts': [
      'export interface ThingOptions {',
      '  /** How many, in bytes. */',
      '  readonly most?: number',
      '  readonly least: number',
      '}',
      '/** Made for @nobody in particular. */',
      'export function thing(options: ThingOptions): void {}',
    ].join('\n'),
  }
  const source = readDeclarations(files)
  const declarations = [...source.exportsOf('src/index.ts').values()]
  assert.deepEqual(silenceIn(declarations), ['ThingOptions', 'ThingOptions.least', 'ThingOptions.most: default'])
  assert.deepEqual([...source.strayTags], ['thing: @nobody'])
})

test('near misses: a type that is not exported is found, a name in a function body is not', () => {
  const files = {
    'src/index.ts': [
      'interface Inner { readonly at: number }',
      'interface Body { readonly at: number }',
      'export interface Outer { readonly inner?: Partial<Inner> }',
      'export function read(outer: Outer): number {',
      '  const body: Body = { at: 1 }',
      '  return body.at',
      '}',
    ].join('\n'),
  }
  const declared = readDeclarations(files).exportsOf('src/index.ts')
  assert.deepEqual([...declared.keys()].sort(), ['Outer', 'read'])
  assert.deepEqual(
    declared.get('Outer')?.unexported.map(({ name }) => name),
    ['Inner'],
  )
  assert.deepEqual(declared.get('read')?.unexported, [])
  assert.equal(declared.get('read')?.signature, 'function read(outer: Outer): number')
})
