/**
 * The type of a value that a plain JSON Schema admits, for instances without a type provider: `type`, `properties`, `required`, `items`,
 * `enum`, `const`, `nullable`, `anyOf` and `oneOf` are read. Whatever else it says only narrows that, so the type is never
 * too narrow; it is `unknown` for a schema that was widened (`const schema = { type: 'string' }` without `as const`).
 *
 * Members are looked up by name, not with `Schema extends { type: infer Type }`: TypeScript 5.9 takes a schema written in
 * place for a fresh literal even there, and one keyword more than in the pattern makes it another type.
 *
 * `Markup` is what a string with `contentMediaType: 'text/html'` may be besides: on the way out, finished markup.
 */
export type PlainMessage<Schema, Markup = never> = Schema extends unknown
  ? 'const' extends keyof Schema
    ? Keyword<Schema, 'const'>
    : 'enum' extends keyof Schema
      ? EachOf<Keyword<Schema, 'enum'>>
      : 'type' extends keyof Schema
        ?
            | OfType<EachOf<Keyword<Schema, 'type'>>, Schema, Markup>
            | (Keyword<Schema, 'nullable'> extends true ? null : never)
        : 'anyOf' extends keyof Schema
          ? PlainMessage<EachOf<Keyword<Schema, 'anyOf'>>, Markup>
          : 'oneOf' extends keyof Schema
            ? PlainMessage<EachOf<Keyword<Schema, 'oneOf'>>, Markup>
            : unknown
  : never

type Keyword<Schema, Name, Unsaid = undefined> = Name extends keyof Schema ? Schema[Name] : Unsaid

type EachOf<List> = List extends readonly (infer Each)[] ? Each : List

type OfType<Type, Schema, Markup> = Type extends 'string'
  ? string | (Keyword<Schema, 'contentMediaType'> extends 'text/html' ? Markup : never)
  : Type extends 'number' | 'integer'
    ? number
    : Type extends 'boolean'
      ? boolean
      : Type extends 'null'
        ? null
        : Type extends 'array'
          ? 'items' extends keyof Schema
            ? PlainMessage<Keyword<Schema, 'items'>, Markup>[]
            : unknown[]
          : Type extends 'object'
            ? Flat<
                Properties<Keyword<Schema, 'properties', object>, RequiredName<Keyword<Schema, 'required'>>, Markup> &
                  Others<Schema>
              >
            : unknown

/** A list that was widened to `string[]` names nobody: then everything may be missing. */
type RequiredName<List> = List extends readonly (infer Name)[] ? (string extends Name ? never : Name) : never

type Properties<Each, Required, Markup> = {
  -readonly [Name in keyof Each as Name extends Required ? Name : never]: PlainMessage<Each[Name], Markup>
} & {
  -readonly [Name in keyof Each as Name extends Required ? never : Name]?: PlainMessage<Each[Name], Markup>
}

/** Keywords that let in, or may let in, properties that are not in `properties`. */
type Opening =
  | 'additionalProperties'
  | 'unevaluatedProperties'
  | 'patternProperties'
  | 'allOf'
  | 'anyOf'
  | 'oneOf'
  | 'if'
  | 'dependentSchemas'
  | '$ref'

type Others<Schema> =
  Keyword<Schema, 'additionalProperties'> extends false
    ? unknown
    : keyof Schema & Opening extends never
      ? unknown
      : Record<string, unknown>

/** The members of an intersection as one object type, which an editor shows better. */
type Flat<T> = { [Name in keyof T]: T[Name] }
