import { isPlain } from './long-text.ts'

const { hasOwnProperty: isOwn } = Object.prototype

/**
 * The JSON of a message whose members are texts that JSON and HTML write as they are, and numbers and the like. Only where one of them
 * is long: JSON.stringify makes one piece of many short ones, which are pieces here.
 *
 * @param message of our own making: plain, and its members may be read more than once
 * @returns `undefined` for any other message
 */
export function writeFlat(message: Readonly<Record<string, unknown>>): string | undefined {
  let json = ''
  for (const name in message) {
    if (!isOwn.call(message, name)) continue
    const member = message[name]
    if (member === undefined) continue
    const written = writeMember(member)
    if (written === undefined || !isPlain(name)) return undefined
    json += json === '' ? `{"${name}":${written}` : `,"${name}":${written}`
  }
  return json === '' ? '{}' : `${json}}`
}

function writeMember(member: unknown): string | undefined {
  switch (typeof member) {
    case 'string':
      return isPlain(member) ? `"${member}"` : undefined
    case 'boolean':
      return member ? 'true' : 'false'
    case 'number':
      return Number.isFinite(member) ? String(member) : 'null'
    default:
      return member === null ? 'null' : undefined
  }
}
