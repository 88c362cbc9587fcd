/**
 * Beside every `unevaluatedProperties`; ours, not the author's. ajv keeps the names it has evaluated in a plain object, and so
 * takes `toString`, `constructor` and all else that objects inherit for evaluated: they would be the one unknown property that
 * slips through.
 */
export const ownNamesKeyword = 'sws:own-names'

/** Does a member bear a name that every object has (one that Object.prototype was polluted with included)? */
export function hasInheritedName(value: object): boolean {
  return Object.keys(value).some(isInheritedName)
}

export function isInheritedName(name: string): boolean {
  return name in Object.prototype
}
