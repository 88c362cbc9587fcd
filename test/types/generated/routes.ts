import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type as ark } from 'arktype'
import { socketRoute } from 'fastify-secure-ws'
import { Type } from 'typebox'
import * as v from 'valibot'
import { z } from 'zod'

// Each route in two libraries or more: what one of them infers is what is written for all.

const Node = Type.Object({ name: Type.String(), below: Type.Array(Type.Ref('Node')) })
const Tree = Type.Cyclic({ Node }, 'Node')

export const typebox = socketRoute({
  receives: {
    members: {
      schema: Type.Object({ a: Type.String(), b: Type.Optional(Type.Number()), c: Type.Boolean(), d: Type.Null() }),
      reply: Type.Object({ at: Type.Integer() }),
      replay: { window: 1_000 },
    },
    lists: {
      schema: Type.Object({ grid: Type.Array(Type.Array(Type.Union([Type.String(), Type.Null()]))) }),
      reply: Tree,
    },
    pair: { schema: Type.Object({ pair: Type.Tuple([Type.String(), Type.Number()]) }), reply: Type.String() },
    literals: {
      schema: Type.Object({
        one: Type.Literal('it\'s "\n\\ */'),
        two: Type.Union([Type.Literal(1), Type.Literal(false)]),
      }),
      reply: Type.Union([Type.Null(), Type.Array(Type.Number())]),
    },
    either: {
      schema: Type.Union([
        Type.Object({ kind: Type.Literal('a'), a: Type.String() }),
        Type.Object({ kind: Type.Literal('b'), b: Type.Optional(Type.Number()) }),
      ]),
    },
    both: { schema: Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Number() })]) },
    record: { schema: Type.Record(Type.String(), Type.Number()) },
    names: {
      schema: Type.Object({ 'it\'s "quoted"\n*/': Type.String(), constructor: Type.Number(), 'a-b': Type.Null() }),
    },
    tree: { schema: Tree },
    nothing: { schema: Type.Object({}) },
  },
  sends: {
    'any name */ $1': { schema: Type.Object({ html: Type.String({ contentMediaType: 'text/html' }) }) },
    graft: { schema: Tree, reply: Tree },
    pick: { schema: Type.Object({}), reply: Type.Union([Type.Literal('a'), Type.Null()]) },
  },
})

export const zod = socketRoute({
  receives: {
    members: {
      schema: z.object({ a: z.string(), b: z.number().optional(), c: z.boolean(), d: z.null() }),
      reply: z.object({ at: z.int() }),
    },
    lists: { schema: z.object({ grid: z.array(z.array(z.string().nullable())) }) },
    pair: { schema: z.object({ pair: z.tuple([z.string(), z.number()]) }) },
    literals: { schema: z.object({ one: z.enum(['x', 'y']), two: z.literal([1, false]) }) },
    either: {
      schema: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('a'), a: z.string() }),
        z.object({ kind: z.literal('b'), b: z.number().optional() }),
      ]),
    },
    record: {
      schema: z.object({ of: z.record(z.string(), z.number()), few: z.record(z.enum(['x', 'y']), z.number()) }),
    },
    partial: { schema: z.object({ few: z.partialRecord(z.enum(['x', 'y']), z.number()) }) },
  },
  sends: {
    said: { schema: z.object({ url: z.string(), nested: z.object({ at: z.number() }).optional() }) },
    pick: {
      schema: z.object({ of: z.array(z.string()) }),
      reply: z.object({ at: z.int(), why: z.string().optional() }),
    },
  },
})

const valibotTree: v.GenericSchema<{ name: string; below: { name: string }[] }> = v.object({
  name: v.string(),
  below: v.array(v.object({ name: v.string() })),
})
export const valibot = socketRoute({
  receives: {
    members: {
      schema: toStandardJsonSchema(
        v.object({ a: v.string(), b: v.optional(v.number()), c: v.picklist(['x', 'y']), d: v.nullable(v.string()) }),
      ),
      reply: toStandardJsonSchema(
        v.array(v.variant('k', [v.object({ k: v.literal('a') }), v.object({ k: v.literal('b') })])),
      ),
    },
    tree: { schema: toStandardJsonSchema(valibotTree) },
  },
  sends: { said: { schema: toStandardJsonSchema(v.object({ of: v.record(v.string(), v.number()) })) } },
})

export const arktype = socketRoute({
  receives: {
    members: {
      schema: ark({ a: 'string', 'b?': 'number', c: "'x' | 'y'", d: 'string | null', list: 'number[][]' }),
      reply: ark({ at: 'number' }).array(),
    },
    either: { schema: ark({ kind: "'a'", a: 'string' }).or({ kind: "'b'", 'b?': 'number' }) },
  },
  sends: { said: { schema: ark({ deep: { deeper: 'boolean' } }) } },
})

export const plain = socketRoute({
  receives: {
    members: {
      schema: {
        type: 'object',
        properties: {
          a: { type: 'string', nullable: true },
          b: { type: ['number', 'null'] },
          c: { enum: ['x', 1, null] },
        },
        required: ['a'],
      },
      reply: { type: 'array', items: { const: 7 } },
    },
    wide: {
      schema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: true },
    },
    either: {
      schema: {
        anyOf: [
          { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
          { type: 'object', properties: { b: { type: 'number' } } },
        ],
      },
    },
  },
  sends: {},
})
