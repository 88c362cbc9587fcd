import type { TestEvent } from 'node:test/reporters'

/** A reporter that says nothing and ends everything with the first test that fails: one is enough for a mutant. */
export default async function* firstFailure(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type } of events) {
    if (type === 'test:fail') process.exit(1)
    yield ''
  }
}
