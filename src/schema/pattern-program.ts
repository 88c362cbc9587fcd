import type { Part } from './pattern-syntax.ts'

/** A step of a backtracking engine: it takes a character, asks about its place, or goes on elsewhere. */
export type Instruction =
  | { readonly kind: 'character'; readonly source: string }
  | { readonly kind: 'start' | 'end' | 'boundary' | 'stop' | 'match' }
  | { readonly kind: 'split' | 'jump'; to: number }

/** Instructions of a pattern with its repetitions written out. */
const mostInstructions = 30_000

/** The instructions of a pattern, in order; `undefined` for more than can be counted. */
export function programOf(part: Part): readonly Instruction[] | undefined {
  const program: Instruction[] = []
  if (!emit(part, program)) return undefined
  program.push({ kind: 'match' })
  return program
}

/** @returns false when it got too long */
function emit(part: Part, program: Instruction[]): boolean {
  if (program.length > mostInstructions) return false
  switch (part.kind) {
    case 'sequence':
      return part.parts.every((each) => emit(each, program))
    case 'choice':
      return emitChoice(part.parts, program)
    case 'look':
      // Its ways are tried beside those of what follows.
      return emitSkippable(part.part, program, { kind: 'stop' })
    case 'repeat':
      return emitRepeat(part.part, part.min, part.max, program)
    default:
      program.push(part)
      return true
  }
}

function emitChoice(parts: readonly Part[], program: Instruction[]): boolean {
  const jumps: { kind: 'jump'; to: number }[] = []
  for (const [index, part] of parts.entries()) {
    const split = { kind: 'split' as const, to: 0 }
    const isLast = index === parts.length - 1
    if (!isLast) program.push(split)
    if (!emit(part, program)) return false
    if (isLast) break
    const jump = { kind: 'jump' as const, to: 0 }
    jumps.push(jump)
    program.push(jump)
    split.to = program.length
  }
  for (const jump of jumps) jump.to = program.length
  return true
}

function emitSkippable(part: Part, program: Instruction[], end?: Instruction): boolean {
  const split = { kind: 'split' as const, to: 0 }
  program.push(split)
  if (!emit(part, program)) return false
  if (end !== undefined) program.push(end)
  split.to = program.length
  return true
}

function emitRepeat(part: Part, min: number, max: number, program: Instruction[]): boolean {
  for (let round = 0; round < min; round++) {
    const before = program.length
    if (!emit(part, program)) return false
    if (program.length === before) return true
  }
  if (max === Infinity) return emitSkippable(part, program, { kind: 'jump', to: program.length })
  const splits: { kind: 'split'; to: number }[] = []
  for (let round = min; round < max; round++) {
    const split = { kind: 'split' as const, to: 0 }
    splits.push(split)
    program.push(split)
    const before = program.length
    if (!emit(part, program)) return false
    if (program.length === before) break
  }
  for (const split of splits) split.to = program.length
  return true
}
