/**
 * The kind of schemas a keyword holds. `list`, `branch`, `dependents`: about the same value as the schema they are in. `members`,
 * `part`: about a part of it. `question`: asked, not required of the value. `definitions`: about nothing until referred to.
 */
type Role = 'list' | 'branch' | 'dependents' | 'members' | 'part' | 'question' | 'definitions'

export interface Keyword {
  /** Left out: it holds no schemas. */
  readonly role?: Role
  /** The type that has to be beside it, or beside what it is in. Left out: it is about every value. */
  readonly about?: 'string' | 'number' | 'array' | 'object'
  /** Its meaning for what is received. */
  readonly inward: string
  /** Its meaning for what is sent and replied. Left out: the same. */
  readonly outward?: string
}

const note = { inward: 'nothing; a default is not filled in' }
const dropped = 'the same, but `false` drops the member'

/** Every keyword there is, and what it means. `npm run docs` writes docs/schemas.md out of it. */
export const keywords: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ['type', { inward: 'one of these types; nothing is coerced, and `1.0` is an `integer`' }],
  ['nullable', { inward: 'beside `type`: or `null`' }],
  ['const', { inward: 'this value' }],
  ['enum', { inward: 'one of these values' }],
  ['minLength', { about: 'string', inward: 'code points, at least' }],
  ['maxLength', { about: 'string', inward: 'code points, at most; looked at before `pattern`' }],
  [
    'pattern',
    { about: 'string', inward: 'a regular expression (flag `u`) that takes at most 512 steps for each character' },
  ],
  [
    'format',
    {
      about: 'string',
      inward: 'a format of the list below',
      outward:
        '`uri`, `uri-reference`, `iri`, `iri-reference`, `url`: http, https, mailto or relative; others: the same',
    },
  ],
  [
    'contentMediaType',
    {
      about: 'string',
      inward: "only `'text/html'`: arrives as sanitized text",
      outward: "only `'text/html'`: leaves as sanitized markup; an `Encoded<'html'>` stays as it is",
    },
  ],
  ['sanitize', { about: 'string', inward: 'arrives after these steps, and fits after them, too', outward: 'nothing' }],
  ['minimum', { about: 'number', inward: 'at least' }],
  ['maximum', { about: 'number', inward: 'at most' }],
  ['exclusiveMinimum', { about: 'number', inward: 'more than' }],
  ['exclusiveMaximum', { about: 'number', inward: 'less than' }],
  ['multipleOf', { about: 'number', inward: 'a multiple, as decimals: 0.3 is three times 0.1' }],
  ['items', { about: 'array', role: 'part', inward: 'each item; as a list: the first items, each by its own schema' }],
  ['additionalItems', { about: 'array', role: 'part', inward: 'the items behind a list of `items`, which needs it' }],
  ['minItems', { about: 'array', inward: 'items, at least' }],
  ['maxItems', { about: 'array', inward: 'items, at most' }],
  ['uniqueItems', { about: 'array', inward: 'no two items are equal; needs `maxItems` unless they are scalars' }],
  ['contains', { about: 'array', role: 'question', inward: 'some items are like this' }],
  ['minContains', { about: 'array', inward: 'items as in `contains`, at least; 1 if left out' }],
  ['maxContains', { about: 'array', inward: 'items as in `contains`, at most' }],
  ['properties', { about: 'object', role: 'members', inward: 'members by name', outward: dropped }],
  [
    'patternProperties',
    { about: 'object', role: 'members', inward: 'members by the pattern of their name', outward: dropped },
  ],
  [
    'additionalProperties',
    { about: 'object', role: 'part', inward: 'members that neither of the two names', outward: dropped },
  ],
  [
    'unevaluatedProperties',
    { about: 'object', role: 'part', inward: 'members that nothing beside it declares, either', outward: dropped },
  ],
  [
    'propertyNames',
    { about: 'object', role: 'question', inward: 'the name of every member', outward: 'of what is left' },
  ],
  ['required', { about: 'object', inward: 'members that must be there' }],
  ['minProperties', { about: 'object', inward: 'members, at least', outward: 'of what is left' }],
  ['maxProperties', { about: 'object', inward: 'members, at most', outward: 'of what is left' }],
  ['dependentRequired', { about: 'object', inward: 'where the one is, the others are' }],
  ['dependentSchemas', { about: 'object', role: 'dependents', inward: 'where the member is, this holds as well' }],
  ['allOf', { role: 'list', inward: 'all of them hold; a member that any of them declares is declared' }],
  [
    'anyOf',
    {
      role: 'list',
      inward: 'one of them holds, or more; a member that these declare is declared',
      outward: 'the same; where something has to be dropped, the first that holds decides',
    },
  ],
  [
    'oneOf',
    {
      role: 'list',
      inward: 'exactly one of them holds; a member that it declares is declared',
      outward: 'the first that holds decides; the remainder fits exactly one',
    },
  ],
  ['not', { role: 'question', inward: 'does not hold' }],
  ['if', { role: 'question', inward: 'where this holds, its members are declared' }],
  ['then', { role: 'branch', inward: 'holds where `if` does' }],
  ['else', { role: 'branch', inward: 'holds where `if` does not' }],
  ['$ref', { inward: 'the schema at this place: `#/$defs/Name`, or the `$id` of a definition' }],
  ['$defs', { role: 'definitions', inward: 'schemas to refer to' }],
  ['definitions', { role: 'definitions', inward: 'schemas to refer to' }],
  ['$id', { inward: 'a name to refer to' }],
  ['$schema', { inward: 'draft-06, draft-07, 2019-09 or 2020-12; all are read the same way' }],
  ...['title', 'description', '$comment', 'default', 'examples'].map((name): [string, Keyword] => [name, note]),
  ...['deprecated', 'readOnly', 'writeOnly'].map((name): [string, Keyword] => [name, note]),
])

const whole = 'A message is validated synchronously, by one schema that is whole: leave this keyword out.'
const notChecked = 'It would not be checked. For base64 write `format: "byte"`.'

/** The keywords of JSON Schema that are refused here, with what to write instead. */
export const refusedKeywords: ReadonlyMap<string, string> = new Map([
  ['prefixItems', 'Write `items` with the list of schemas, and `additionalItems` for what follows.'],
  ['unevaluatedItems', 'Write `additionalItems` beside a list of `items`, or `items` for all of them.'],
  ['dependencies', 'Write `dependentRequired` or `dependentSchemas`.'],
  ['discriminator', 'Leave it out: a member with a `const` in each branch is looked at first.'],
  ['contentEncoding', notChecked],
  ['contentSchema', notChecked],
  ...['$async', '$anchor', '$recursiveAnchor', '$recursiveRef', '$dynamicAnchor', '$dynamicRef', '$vocabulary'].map(
    (name): [string, string] => [name, whole],
  ),
])
