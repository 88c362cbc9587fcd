import { kindBits, kindOf } from './kind.ts'
import { isLonger, isShorter } from './length.ts'
import { costOfMultiple, isMultipleOf } from './multiple-of.ts'
import type { ListRules, MemberRules, NumberRules, SchemaNode, TextRules, Union } from './node.ts'
import { areUnique } from './unique-items.ts'
import type { Work } from './work.ts'

/** An answer that took fewer visits is found again sooner than it is remembered. */
const cheap = 8

/**
 * Whether a schema holds for a value, as JSON Schema has it; a sealed one also refuses members that it does not declare. What it said
 * of an object or list is kept where several ways lead to it: each schema looks at each value once.
 *
 * @throws exhausted when the budget is used up
 */
export function holds(node: SchemaNode, value: unknown, work: Work): boolean {
  work.spend(1)
  const { slot } = node
  if (slot === undefined || typeof value !== 'object' || value === null) return check(node, value, work)
  const said = work.remembered(slot, value)
  if (said !== undefined) return said || work.refuse('$ref', node.pointer, 'is refused')
  const before = work.visits
  const answer = check(node, value, work)
  if (work.visits - before > cheap) work.remember(slot, value, answer)
  return answer
}

/** Whether it holds; a no is no fault of the value. */
export function asks(node: SchemaNode, value: unknown, work: Work): boolean {
  const answer = holds(node, value, work)
  work.forgetWay()
  return answer
}

function check(node: SchemaNode, value: unknown, work: Work): boolean {
  if (node.never) return work.refuse('false', node.pointer, 'is declared to be absent')
  const kind = kindOf(value)
  if ((node.kinds & kind) === 0 || (node.whole && kind === kindBits.number && !Number.isInteger(value))) {
    return work.refuse('type', node.pointer, `must be ${node.typeNames}`)
  }
  if (node.values !== undefined && !node.values.has(value, work)) {
    return work.refuse('enum', node.pointer, 'must be one of the allowed values')
  }
  // Scalars first, and what tells branches apart before what is deep.
  const own =
    typeof value === 'string'
      ? node.text === undefined || checkText(node.text, value, node, work)
      : typeof value === 'number'
        ? node.number === undefined || checkNumber(node.number, value, node, work)
        : Array.isArray(value)
          ? node.list === undefined || checkList(node.list, value, node, work)
          : kind !== kindBits.object || node.members === undefined
            ? kind !== kindBits.object || checkSealed(node, value as object, work)
            : checkMembers(node.members, value as Record<string, unknown>, node, work)
  return own && checkParts(node, value, work)
}

function checkText(rules: TextRules, text: string, { pointer }: SchemaNode, work: Work): boolean {
  const { length } = text
  work.spend(length >> 6)
  const { minLength, maxLength, pattern, degree, format } = rules
  if (isLonger(text, maxLength)) {
    return work.refuse('maxLength', pointer, `must NOT have more than ${maxLength} characters`)
  }
  if (isShorter(text, minLength)) {
    return work.refuse('minLength', pointer, `must NOT have fewer than ${minLength} characters`)
  }
  if (pattern !== undefined || format !== undefined) work.spend(Math.floor(length ** degree / (degree > 1 ? 64 : 16)))
  if (pattern !== undefined && !pattern.test(text)) return work.refuse('pattern', pointer, 'must match its pattern')
  return format === undefined || format(text) || work.refuse('format', pointer, 'must match its format')
}

function checkNumber(rules: NumberRules, value: number, { pointer }: SchemaNode, work: Work): boolean {
  if (value < rules.minimum) return work.refuse('minimum', pointer, `must be >= ${rules.minimum}`)
  if (value > rules.maximum) return work.refuse('maximum', pointer, `must be <= ${rules.maximum}`)
  if (value <= rules.above) return work.refuse('exclusiveMinimum', pointer, `must be > ${rules.above}`)
  if (value >= rules.below) return work.refuse('exclusiveMaximum', pointer, `must be < ${rules.below}`)
  if (rules.multipleOf !== undefined) {
    work.spend(costOfMultiple(value, rules.multipleOf))
    if (!isMultipleOf(value, rules.multipleOf)) {
      return work.refuse('multipleOf', pointer, `must be multiple of ${rules.multipleOf}`)
    }
  }
  return rules.format === undefined || rules.format(value) || work.refuse('format', pointer, 'must match its format')
}

function checkList(rules: ListRules, list: readonly unknown[], { pointer }: SchemaNode, work: Work): boolean {
  const { length } = list
  if (length > rules.maxItems)
    return work.refuse('maxItems', pointer, `must NOT have more than ${rules.maxItems} items`)
  if (length < rules.minItems)
    return work.refuse('minItems', pointer, `must NOT have fewer than ${rules.minItems} items`)
  const { first, rest, contains } = rules
  for (let index = 0; index < length; index++) {
    const node = first[index] ?? rest
    if (node === undefined) break
    if (holds(node, list[index], work)) continue
    work.cameFrom(index)
    return false
  }
  if (contains !== undefined) {
    let found = 0
    for (let index = 0; index < length; index++) if (asks(contains, list[index], work)) found++
    if (found < rules.minContains) return work.refuse('contains', pointer, 'must contain more items of a kind')
    if (found > rules.maxContains) return work.refuse('contains', pointer, 'must contain fewer items of a kind')
  }
  if (!rules.unique) return true
  work.spend(length)
  return (
    areUnique(list, (item) => work.canonical(item)) ||
    work.refuse('uniqueItems', pointer, 'must NOT have duplicate items')
  )
}

function checkSealed(node: SchemaNode, value: object, work: Work): boolean {
  if (!node.sealed || work.lenient || Object.keys(value).length === 0) return true
  return work.refuse('additionalProperties', node.pointer, 'must NOT have additional properties')
}

function checkMembers(rules: MemberRules, value: Record<string, unknown>, node: SchemaNode, work: Work): boolean {
  const { pointer } = node
  for (const name of rules.required) {
    if (!Object.hasOwn(value, name)) {
      return work.refuse('required', pointer, `must have required property '${name}'`)
    }
  }
  const names = Object.keys(value)
  work.spend(names.length)
  if (names.length < rules.minProperties) return work.refuse('minProperties', pointer, 'must have more properties')
  if (names.length > rules.maxProperties && !work.lenient) {
    return work.refuse('maxProperties', pointer, 'must have fewer properties')
  }
  const { properties, patterns, additional, dependents } = rules
  for (const name of names) {
    if (rules.names !== undefined && !work.lenient && !asks(rules.names, name, work)) {
      return work.refuse('propertyNames', pointer, 'must have only names as declared')
    }
    const member = properties.get(name)
    let declared = member !== undefined
    if (member !== undefined && !checkMember(member, name, value, work)) return false
    for (const [pattern, matched] of patterns) {
      work.spend(1 + (name.length >> 7))
      if (!pattern.test(name)) continue
      declared = true
      if (!checkMember(matched, name, value, work)) return false
    }
    if (declared) continue
    if (additional !== undefined) {
      if (checkMember(additional, name, value, work)) continue
      // Of a name that the client chose, nothing is told.
      if (additional.never) {
        work.forgetWay()
        work.refuse('additionalProperties', pointer, 'must NOT have additional properties')
      }
      return false
    }
    if (node.sealed && !work.lenient) {
      return work.refuse('additionalProperties', pointer, 'must NOT have additional properties')
    }
  }
  for (const [name, others] of rules.together) {
    if (!Object.hasOwn(value, name)) continue
    for (const other of others) {
      if (!Object.hasOwn(value, other)) {
        return work.refuse('dependentRequired', pointer, `must have property '${other}' beside '${name}'`)
      }
    }
  }
  for (const [name, schema] of dependents) {
    if (Object.hasOwn(value, name) && !holds(schema, value, work)) return false
  }
  return true
}

function checkMember(node: SchemaNode, name: string, value: Record<string, unknown>, work: Work): boolean {
  // On the way out a member that must not be there is dropped.
  if (node.never && work.lenient) return true
  if (holds(node, value[name], work)) return true
  work.cameFrom(name)
  return false
}

/** Other schemas that speak of the same value. */
function checkParts(node: SchemaNode, value: unknown, work: Work): boolean {
  if (node.not !== undefined && asks(node.not, value, work)) {
    return work.refuse('not', node.pointer, 'must NOT be valid')
  }
  if (!node.composed) return true
  if (node.ref !== undefined && !holds(node.ref, value, work)) return false
  for (const part of node.allOf) if (!holds(part, value, work)) return false
  if (node.anyOf !== undefined && !anyHolds(node.anyOf, value, work)) {
    return work.refuse('anyOf', node.pointer, 'matches no branch of its union')
  }
  if (node.oneOf !== undefined && !oneHolds(node.oneOf, value, work)) {
    return work.refuse('oneOf', node.pointer, 'matches no branch of its union, or more than one')
  }
  if (node.condition !== undefined) {
    const part = asks(node.condition, value, work) ? node.whenYes : node.whenNo
    if (part !== undefined && !holds(part, value, work)) return false
  }
  return checkUnevaluated(node, value, work)
}

function anyHolds({ candidates }: Union, value: unknown, work: Work): boolean {
  for (const branch of candidates(value)) if (asks(branch, value, work)) return true
  return false
}

function oneHolds({ candidates }: Union, value: unknown, work: Work): boolean {
  let count = 0
  for (const branch of candidates(value)) {
    if (!asks(branch, value, work)) continue
    // Members that are dropped may be all that tells two branches apart: what is left is asked once more.
    if (work.lenient) return true
    if (++count > 1) return false
  }
  return count === 1
}

function checkUnevaluated(node: SchemaNode, value: unknown, work: Work): boolean {
  const unevaluated = node.members?.unevaluated
  if (unevaluated === undefined || (unevaluated.never && work.lenient)) return true
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true
  const parts = partsThatHold(node, value, work)
  for (const name of Object.keys(value)) {
    if (parts.some((part) => declare(part, name, undefined, work))) continue
    if (holds(unevaluated, Reflect.get(value, name), work)) continue
    work.forgetWay()
    return work.refuse('unevaluatedProperties', node.pointer, 'must NOT have unevaluated properties')
  }
  return true
}

/**
 * A node that holds for `value`, and every other that says something of the same value and holds for it too.
 *
 * @param first of each union, only the first branch that holds
 */
export function partsThatHold(node: SchemaNode, value: unknown, work: Work, first = false): SchemaNode[] {
  const found: SchemaNode[] = []
  collectParts(node, { value, work, first, found })
  return found
}

const none: readonly SchemaNode[] = []

interface Search {
  readonly value: unknown
  readonly work: Work
  readonly first: boolean
  readonly found: SchemaNode[]
}

function collectParts(node: SchemaNode, search: Search): void {
  const { value, work, found } = search
  if (found.includes(node)) return
  work.spend(1)
  found.push(node)
  if (!node.composed) return
  if (node.ref !== undefined) collectParts(node.ref, search)
  for (const part of node.allOf) collectParts(part, search)
  for (const union of [node.anyOf, node.oneOf]) {
    const candidates = union?.candidates(value) ?? none
    for (const branch of candidates) {
      // The union holds, so the only branch that may is the one that does.
      if (candidates.length > 1 && !asks(branch, value, work)) continue
      collectParts(branch, search)
      if (search.first) break
    }
  }
  if (node.condition !== undefined) {
    const answer = asks(node.condition, value, work)
    if (answer) collectParts(node.condition, search)
    const part = answer ? node.whenYes : node.whenNo
    if (part !== undefined) collectParts(part, search)
  }
  if (typeof value !== 'object' || value === null) return
  for (const [name, schema] of node.members?.dependents ?? []) {
    if (Object.hasOwn(value, name)) collectParts(schema, search)
  }
}

/** Whether a node by itself declares a member of this name; the schemas of the member are added to `into`. */
export function declare(node: SchemaNode, name: string, into: SchemaNode[] | undefined, work: Work): boolean {
  const { members } = node
  if (members === undefined) return false
  work.spend(1)
  let declared = false
  const member = members.properties.get(name)
  if (member !== undefined && !member.never) {
    declared = true
    into?.push(member)
  }
  for (const [pattern, matched] of members.patterns) {
    work.spend(1 + (name.length >> 7))
    if (matched.never || !pattern.test(name)) continue
    declared = true
    into?.push(matched)
  }
  const { additional } = members
  if (declared || member !== undefined || additional === undefined || additional.never) return declared
  into?.push(additional)
  return true
}
