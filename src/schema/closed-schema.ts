import { badOption } from '../errors.ts'
import { isInheritedName, ownNamesKeyword } from './own-names.ts'
import type { PlainSchema } from './plain-schema.ts'
import { followRef, isSchema, keywordRoles } from './plain-schema.ts'

/**
 * The schema in which every object says what becomes of properties it does not name, and the answer is "refused" wherever the
 * author was silent: `additionalProperties: false`, or `unevaluatedProperties: false` where the properties are spread over
 * `allOf`, `anyOf`, `oneOf`, `$ref` and the like. Left as written: a schema without a word about objects (`{}`, which takes
 * anything), and everything inside a question, because closing there would turn a "no" into a "yes" (`not`), or pick another
 * branch (`if`). Two schemas in one `allOf` that both describe the same *inner* object are closed one by one, and then accept
 * only what both name: say `additionalProperties` there yourself.
 */
export function closeSchema(root: PlainSchema, path: string): PlainSchema {
  return closeValue(root, { root, path })
}

interface Whole {
  readonly root: PlainSchema
  readonly path: string
}

function closeValue(schema: PlainSchema, whole: Whole): PlainSchema {
  const inner = closeParts(schema, whole)
  if ('additionalProperties' in schema || 'unevaluatedProperties' in schema) return inner
  if (!takesObjects(schema, whole.root)) return inner
  if (!isComposed(schema)) return { ...inner, additionalProperties: false }
  refuseInheritedNames(schema, whole, new Set())
  return { ...inner, unevaluatedProperties: false, [ownNamesKeyword]: true }
}

/** Closes what is below, not `schema` itself: one of several about the same value would shut out the others' properties. */
function closeParts(schema: PlainSchema, whole: Whole): PlainSchema {
  const closed = Object.entries(schema).map(([keyword, value]) => {
    switch (keywordRoles.get(keyword)) {
      case 'part':
        return [keyword, each(value, (part) => closeValue(part, whole))]
      case 'members':
        return [keyword, eachMember(value, (part) => closeValue(part, whole))]
      case 'list':
      case 'branch':
        return [keyword, each(value, (same) => closeParts(same, whole))]
      case 'dependents':
      case 'definitions':
        return [keyword, eachMember(value, (same) => closeParts(same, whole))]
      default:
        if (keyword === '$ref' && followRef(value, whole.root) === undefined) {
          throw badOption(whole.path, value, 'This `$ref` points at nothing in the schema.')
        }
        return [keyword, value]
    }
  })
  if ('unevaluatedProperties' in schema) closed.push([ownNamesKeyword, true])
  return Object.fromEntries(closed)
}

/** Such a message would be refused every time: better said at startup. */
function refuseInheritedNames(schema: PlainSchema, whole: Whole, seen: Set<PlainSchema>): void {
  if (seen.has(schema)) return
  seen.add(schema)
  const inherited = Object.keys(isSchema(schema.properties) ? schema.properties : {}).find(isInheritedName)
  if (inherited !== undefined) {
    throw badOption(
      whole.path,
      inherited,
      'Every object inherits this name, so it cannot be told apart in a union, an intersection or behind `$ref`: choose another.',
    )
  }
  for (const same of inPlace(schema, whole.root)) refuseInheritedNames(same, whole, seen)
}

function each(value: unknown, close: (schema: PlainSchema) => PlainSchema): unknown {
  if (Array.isArray(value)) return value.map((item) => each(item, close))
  return isSchema(value) ? close(value) : value
}

function eachMember(value: unknown, close: (schema: PlainSchema) => PlainSchema): unknown {
  if (!isSchema(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, each(schema, close)]))
}

export function isComposed(schema: PlainSchema): boolean {
  return Object.keys(schema).some((keyword) => {
    const role = keywordRoles.get(keyword)
    return role === 'list' || role === 'dependents' || keyword === 'if' || keyword === '$ref'
  })
}

/** The schemas about the same value as `schema`, `$ref` followed, questions left out. */
export function inPlace(schema: PlainSchema, root: PlainSchema): PlainSchema[] {
  const found: unknown[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    const role = keywordRoles.get(keyword)
    if (role === 'list' && Array.isArray(value)) found.push(...value)
    else if (role === 'branch') found.push(value)
    else if (role === 'dependents' && isSchema(value)) found.push(...Object.values(value))
    else if (keyword === '$ref') found.push(followRef(value, root))
  }
  return found.filter(isSchema)
}

/** Does this schema, or one about the same value, describe objects? */
export function takesObjects(schema: PlainSchema, root: PlainSchema, seen: Set<PlainSchema> = new Set()): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  const { type } = schema
  if (type !== undefined) return type === 'object' || (Array.isArray(type) && type.includes('object'))
  return inPlace(schema, root).some((same) => takesObjects(same, root, seen))
}
