import { setImmediate } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { type Cleaner, createCleaner } from './cleaner.ts'
import type { Profile } from './profile.ts'
import { structureLimits, structureRefusal } from './structure.ts'
import type { Answer, Question } from './thread.ts'

/**
 * Long-lived jsdom windows have grown before (DOMPurify issue 1089). Measured today one stays level as long as every call
 * gets a macrotask of its own, see below; a new window per this many documents costs a hundredth and keeps it so.
 */
const documentsPerWindow = 1_000

const port = parentPort
if (port === null) throw new Error('this file runs in a worker thread only')
const say = (answer: Answer) => port.postMessage(answer)
const { profile }: { profile: Profile } = workerData

/** Without a list of its own a profile has DOMPurify's, of which nothing is said here: then every element may be taken out. */
const known = new Set(profile.config.ALLOWED_TAGS?.map((tag) => tag.toLowerCase()))
for (const tag of profile.config.FORBID_TAGS ?? []) known.delete(tag.toLowerCase())

let cleaner: Cleaner | undefined
let served = 0

try {
  cleaner = createCleaner(profile)
  port.on('message', answerAll)
  say({ ready: true })
} catch (error) {
  say({ unusable: nameOf(error) })
}

async function answerAll(questions: readonly Question[]): Promise<void> {
  for (const { id, dirty } of questions) {
    say({ id, ...answer(dirty) })
    // jsdom holds every node of a call until the macrotask ends, and `await` alone does not end it.
    await setImmediate()
  }
}

function answer(dirty: string): { clean: string } | { refused: string } {
  try {
    const refused = structureRefusal(dirty, structureLimits, known)
    if (refused !== undefined) return { refused }
    if (served >= documentsPerWindow) endWindow()
    served += 1
    cleaner ??= createCleaner(profile)
    return { clean: cleaner.clean(dirty) }
  } catch (error) {
    // Half a clean-up is none (a RangeError out of the depth of a stack, say), and the window may be in any state.
    endWindow()
    return { refused: `the sanitizer failed: ${nameOf(error)}` }
  }
}

function endWindow(): void {
  const ended = cleaner
  cleaner = undefined
  served = 0
  ended?.end()
}

/** The kind of an error without its message, which may quote the document. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'no Error'
}
