import { Validator } from '@cfworker/json-schema'
import type { Schema } from './random-schemas.ts'

/**
 * What a message has to be, told by somebody else: `@cfworker/json-schema` (draft 2020-12) says which schemas hold, and a plain walk
 * which members the ones that hold declare. Slow and simple, and nothing of it is shared with what it is held against.
 */
export class Oracle {
  readonly #root: Schema
  readonly #validators = new Map<unknown, Validator>()

  constructor(root: Schema) {
    this.#root = root
  }

  accepts(value: unknown): boolean {
    return this.#valid(this.#root, value) && this.#declared(value, [this.#root])
  }

  #valid(schema: unknown, value: unknown): boolean {
    if (typeof schema === 'boolean') return schema
    let validator = this.#validators.get(schema)
    if (validator === undefined) {
      validator = new Validator({ ...(schema as object), $defs: this.#root.$defs } as never, '2020-12')
      this.#validators.set(schema, validator)
    }
    return validator.validate(value).valid
  }

  #declared(value: unknown, schemas: readonly unknown[]): boolean {
    if (typeof value !== 'object' || value === null || schemas.length === 0) return true
    const holding = schemas.flatMap((schema) => this.#holding(schema, value))
    if (Array.isArray(value)) {
      const items = holding.flatMap(({ items: each }) => (each === undefined ? [] : [each]))
      return value.every((item) => this.#declared(item, items))
    }
    const closed = schemas.some((schema) => this.#speaks(schema, 0))
    return Object.entries(value).every(([name, member]) => {
      const declarers = holding.flatMap((schema) => declarersOf(schema, name))
      return declarers.length === 0 ? !closed : this.#declared(member, declarers)
    })
  }

  #holding(schema: unknown, value: unknown): Schema[] {
    if (typeof schema !== 'object' || schema === null) return []
    const own = schema as Schema
    const found: Schema[] = [own]
    const add = (other: unknown) => found.push(...this.#holding(other, value))
    const list = (keyword: string) => (Array.isArray(own[keyword]) ? own[keyword] : [])
    if (typeof own.$ref === 'string') add(this.#target(own.$ref))
    for (const part of list('allOf')) add(part)
    for (const branch of [...list('anyOf'), ...list('oneOf')]) if (this.#valid(branch, value)) add(branch)
    if ('if' in own) {
      const answer = this.#valid(own.if, value)
      if (answer) add(own.if)
      add(answer ? own.then : own.else)
    }
    for (const [name, dependent] of Object.entries(Object(own.dependentSchemas))) {
      if (Object.hasOwn(Object(value), name)) add(dependent)
    }
    return found
  }

  /** Whether anybody here describes objects. */
  #speaks(schema: unknown, depth: number): boolean {
    if (typeof schema !== 'object' || schema === null || depth > 20) return false
    const { type, $ref, anyOf = [], oneOf = [], allOf = [], ...own } = schema as { [keyword: string]: unknown }
    if (type !== undefined) return [type].flat().includes('object')
    const same = [anyOf, oneOf, allOf, own.then, own.else, Object.values(Object(own.dependentSchemas))].flat()
    if (typeof $ref === 'string') same.push(this.#target($ref))
    return 'properties' in own || 'patternProperties' in own || 'additionalProperties' in own
      ? true
      : same.some((each) => this.#speaks(each, depth + 1))
  }

  #target($ref: string): unknown {
    return Reflect.get(Object(this.#root.$defs), $ref.slice('#/$defs/'.length))
  }
}

function declarersOf({ properties, patternProperties, additionalProperties }: Schema, name: string): unknown[] {
  const found: unknown[] = []
  if (Object.hasOwn(Object(properties), name)) found.push(Reflect.get(Object(properties), name))
  for (const [pattern, schema] of Object.entries(Object(patternProperties))) {
    if (new RegExp(pattern, 'u').test(name)) found.push(schema)
  }
  if (found.length > 0 || additionalProperties === undefined || additionalProperties === false) return found
  return [additionalProperties]
}
