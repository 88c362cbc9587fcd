/** A reporter of node:test for `npm run canary`: a line for each test that failed, and `ended` when all are through. */
import type { TestEvent } from 'node:test/reporters'

export default async function* failures(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    // A suite fails with its tests, which are told.
    if (type === 'test:fail' && data.details.type !== 'suite') yield `${data.name}: ${firstLine(data.details.error)}\n`
    // Of a file that hangs behind its last test this comes, and of one that was ended it does not.
    if (type === 'test:summary') yield 'ended\n'
  }
}

function firstLine(error: Error & { cause?: unknown }): string {
  return String(error.cause instanceof Error ? error.cause.message : error.message).split('\n', 1)[0] ?? ''
}
