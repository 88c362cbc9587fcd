/**
 * What a plain JSON Schema admits, for instances without a type provider: `type`, `properties`, `required`, `items`,
 * `enum`, `const`, `anyOf` and `oneOf` are read. Whatever else it says only narrows that, so the type is never too narrow;
 * it is `unknown` for a schema that was widened (`const schema = { type: 'string' }` without `as const`).
 */
export type PlainMessage<Schema> = Schema extends { const: infer Value }
  ? Value
  : Schema extends { enum: readonly (infer Value)[] }
    ? Value
    : Schema extends { type: readonly (infer Type)[] }
      ? PlainOfType<Type, Schema>
      : Schema extends { type: infer Type }
        ? PlainOfType<Type, Schema> | (Schema extends { nullable: true } ? null : never)
        : Schema extends { anyOf: readonly (infer Part)[] } | { oneOf: readonly (infer Part)[] }
          ? PlainMessage<Part>
          : unknown

/** The keywords of a JSON Schema that say more about an object than is read here. */
type BeyondProperties =
  | 'additionalProperties'
  | 'unevaluatedProperties'
  | 'patternProperties'
  | 'allOf'
  | 'anyOf'
  | 'oneOf'
  | 'if'
  | 'dependentSchemas'
  | '$ref'

type RequiredOf<Schema> = Schema extends { required: readonly (infer Name)[] }
  ? string extends Name
    ? never
    : Name
  : never

type Properties<Schema> = Schema extends { properties: infer Each }
  ? { -readonly [Name in keyof Each as Name extends RequiredOf<Schema> ? Name : never]: PlainMessage<Each[Name]> } & {
      -readonly [Name in keyof Each as Name extends RequiredOf<Schema> ? never : Name]?: PlainMessage<Each[Name]>
    }
  : unknown

/** One object type instead of an intersection: what an editor shows. */
type Flat<T> = { [Name in keyof T]: T[Name] }

type PlainObject<Schema> = Flat<
  Properties<Schema> &
    (Schema extends { additionalProperties: false }
      ? unknown
      : keyof Schema & BeyondProperties extends never
        ? unknown
        : Record<string, unknown>)
>

type PlainOfType<Type, Schema> = Type extends 'string'
  ? string
  : Type extends 'number' | 'integer'
    ? number
    : Type extends 'boolean'
      ? boolean
      : Type extends 'null'
        ? null
        : Type extends 'array'
          ? Schema extends { items: infer Item }
            ? PlainMessage<Item>[]
            : unknown[]
          : Type extends 'object'
            ? PlainObject<Schema>
            : unknown
