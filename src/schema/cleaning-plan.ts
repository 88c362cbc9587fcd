import { badOption } from '../errors.ts'
import { keywords } from './keywords.ts'
import type { PlainSchema } from './plain-schema.ts'
import { inPlace, isSchema } from './plain-schema.ts'
import { textSteps } from './sanitize-text.ts'

/** The cleaning of a value, by all schemas about it. Cycles of `$ref` are cycles here. */
export interface Plan {
  steps: ((text: string) => string)[]
  html: boolean
  readonly parts: PlanPart[]
}

/** The cleaning of members and items by one schema: `others` are the members that this one does not name, whoever else does. */
export interface PlanPart {
  readonly members: ReadonlyMap<string, Plan>
  readonly patterns: readonly (readonly [RegExp, Plan])[]
  readonly others: Plan | undefined
  readonly tuple: readonly Plan[]
  readonly items: Plan | undefined
}

/**
 * Finds, once, every string that carries `sanitize` or `contentMediaType: 'text/html'`; `undefined` when there is none. Each
 * place must be certain: a keyword in a branch is followed only if no other branch could describe the same kind of value, and
 * one that is never reached is an error, because what its author expects to be clean would not be.
 *
 * @throws SWS_BAD_OPTION
 */
export function planCleaning(root: PlainSchema, path: string): Plan | undefined {
  const wanted = new Set<PlainSchema>()
  collect(root, wanted)
  if (wanted.size === 0) return undefined
  const draft: Draft = { root, path, plans: new Map(), reached: new Set() }
  const plan = planFor(root, draft)
  for (const schema of wanted) {
    if (draft.reached.has(schema)) continue
    throw badOption(
      path,
      schema.sanitize ?? schema.contentMediaType,
      'A string with this keyword stands where it is not certain to apply: move it out of `then`, `else`, `dependentSchemas`, `unevaluated*` or an unused definition.',
    )
  }
  return plan
}

interface Draft {
  readonly root: PlainSchema
  readonly path: string
  readonly plans: Map<PlainSchema, Plan>
  readonly reached: Set<PlainSchema>
}

function isCleaned(schema: PlainSchema): boolean {
  return 'sanitize' in schema || 'contentMediaType' in schema
}

function subschemas(schema: PlainSchema): PlainSchema[] {
  const found: unknown[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    const role = keywords.get(keyword)?.role
    if (role === undefined) continue
    const grouped = role === 'members' || role === 'dependents' || role === 'definitions'
    if (grouped && isSchema(value)) found.push(...Object.values(value))
    else if (Array.isArray(value)) found.push(...value)
    else found.push(value)
  }
  return found.filter(isSchema)
}

function collect(schema: PlainSchema, wanted: Set<PlainSchema>): void {
  if (isCleaned(schema)) wanted.add(schema)
  for (const below of subschemas(schema)) collect(below, wanted)
}

function planFor(schema: PlainSchema, draft: Draft): Plan {
  const known = draft.plans.get(schema)
  if (known !== undefined) return known
  const plan: Plan = { steps: [], html: false, parts: [] }
  // Before descending: a cycle finds the plan it is part of.
  draft.plans.set(schema, plan)
  fill(plan, schema, draft, new Set())
  return plan
}

/** Adds what `schema` and everything about the same value has to say. */
function fill(plan: Plan, schema: PlainSchema, draft: Draft, seen: Set<PlainSchema>): void {
  if (seen.has(schema)) return
  seen.add(schema)
  if (isCleaned(schema)) {
    draft.reached.add(schema)
    for (const name of Array.isArray(schema.sanitize) ? schema.sanitize : []) {
      const textStep = textSteps.get(name)
      if (textStep !== undefined) plan.steps.push(textStep)
    }
    plan.html ||= schema.contentMediaType === 'text/html'
  }
  const below = (given: unknown) => (isSchema(given) ? planFor(given, draft) : undefined)
  const tuple = Array.isArray(schema.items) ? schema.items : undefined
  plan.parts.push({
    members: new Map(entries(schema.properties).map(([name, member]) => [name, planFor(member, draft)])),
    patterns: entries(schema.patternProperties).map(([pattern, member]) => [
      new RegExp(pattern, 'u'),
      planFor(member, draft),
    ]),
    others: below(schema.additionalProperties),
    tuple: (tuple ?? []).map((item) => planFor(isSchema(item) ? item : {}, draft)),
    items: below(tuple === undefined ? schema.items : schema.additionalItems),
  })
  for (const keyword of ['anyOf', 'oneOf']) checkCertain(schema[keyword], draft)
  for (const keyword of ['allOf', 'anyOf', 'oneOf', '$ref']) {
    if (keyword in schema)
      for (const same of inPlace({ [keyword]: schema[keyword] }, draft.root)) fill(plan, same, draft, seen)
  }
}

function entries(value: unknown): [string, PlainSchema][] {
  // A name with `true` is named as well: what cleans the other members does not clean this one.
  return isSchema(value) ? Object.entries(value).map(([name, each]) => [name, isSchema(each) ? each : {}]) : []
}

/** Branches of a union may clean only if the kind of a value tells which branch it is in. */
function checkCertain(branches: unknown, draft: Draft): void {
  if (!Array.isArray(branches)) return
  const cleaning = branches.filter((branch) => isSchema(branch) && reaches(branch, draft.root, new Set()))
  for (const branch of cleaning) {
    for (const other of branches) {
      if (other === branch || areApart(kinds(branch, draft.root), kinds(other, draft.root))) continue
      throw badOption(
        draft.path,
        '(a union)',
        'A branch is sanitized, and another could describe the same kind of value: which applies cannot be told. Sanitize both as separate message types, or only beside branches of other types (null, numbers).',
      )
    }
  }
}

/** Does this schema clean anything, here or below? */
function reaches(schema: PlainSchema, root: PlainSchema, seen: Set<PlainSchema>): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  return (
    isCleaned(schema) || [...subschemas(schema), ...inPlace(schema, root)].some((below) => reaches(below, root, seen))
  )
}

/** The JSON types a schema names; `undefined` when it may be any. */
function kinds(schema: unknown, root: PlainSchema): ReadonlySet<string> | undefined {
  if (!isSchema(schema)) return schema === false ? new Set() : undefined
  const { type } = schema
  if (typeof type === 'string') return new Set([type === 'integer' ? 'number' : type])
  if (Array.isArray(type)) return new Set(type.map((each) => (each === 'integer' ? 'number' : each)))
  if (Array.isArray(schema.enum)) return new Set(schema.enum.map(kindOf))
  if ('const' in schema) return new Set([kindOf(schema.const)])
  if ('$ref' in schema) {
    const [target] = inPlace({ $ref: schema.$ref }, root)
    // One step only: a chain of references is "any", which refuses.
    return target === undefined || '$ref' in target ? undefined : kinds(target, root)
  }
  return undefined
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function areApart(one: ReadonlySet<string> | undefined, other: ReadonlySet<string> | undefined): boolean {
  return one !== undefined && other !== undefined && one.isDisjointFrom(other)
}
