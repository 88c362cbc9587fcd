/**
 * Text of somebody else's as a string literal: quotes, line breaks and whatever is not plain ASCII are escaped, so that nothing
 * of it ends the literal, hides in it or reads as something else (CVE-2021-42574).
 */
export function literal(text: string): string {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The name of a member: as it is where it is an ordinary one, a string literal otherwise. */
export function memberName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name)
}

/** Text of somebody else's as the lines of a comment, which nothing of it can end. */
export function comment(text: string, indent: string): string {
  const lines = text.slice(0, longestComment).split(/\r\n|[\n\r\u2028\u2029]/)
  const plain = lines.map((line) => literal(line).slice(1, -1).replaceAll('\\"', '"').replaceAll('*/', '*\\/').trim())
  const [only = ''] = plain
  if (plain.length === 1) return `${indent}/** ${only} */\n`
  return `${indent}/**\n${plain.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}

const longestComment = 2_000

/** Names for types, each a single time: letters and digits of what is wanted, in capitals where words begin. */
export class TypeNames {
  // The text that is written here uses the first two.
  readonly #taken = new Set(['Readonly', 'Record', 'Object', 'String', 'Number', 'Boolean', 'Array', 'Function'])

  of(wanted: string): string {
    const words = wanted.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
    const joined = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('')
    const plain = /^[A-Za-z]/.test(joined) ? joined.slice(0, 60) : `Root${joined.slice(0, 60)}`
    let name = plain
    for (let count = 2; this.#taken.has(name); count++) name = `${plain}${count}`
    this.#taken.add(name)
    return name
  }
}
