/**
 * What some files of the suite do on purpose. A witness must neither disturb it nor take it for a leak; `run.ts` fails where a file of
 * these lists has gone.
 */

/** Their applications tell handshakes apart by the whole URL, or show it: in these the query stays as the client wrote it. */
export const tellByUrl: readonly string[] = [
  'test/admission/verify-client.test.ts',
  'test/attacks/broken-checks.test.ts',
  'test/attacks/containment.test.ts',
  'test/attacks/contexts.test.ts',
  'test/attacks/idle.test.ts',
  'test/attacks/resets.test.ts',
  'test/attacks/resources.test.ts',
  'test/journeys/handshake-places.test.ts',
  'test/journeys/handshake-waiting.test.ts',
  'test/neighbours/guard.test.ts',
]

/** They look at what happens where nobody measures, traces or listens, or bring all of that themselves. */
export const measureThemselves: readonly string[] = [
  'test/attacks/contexts.test.ts',
  'test/connection/path.test.ts',
  'test/house/handshake-path.test.ts',
  'test/telemetry/events.test.ts',
  'test/telemetry/metrics.test.ts',
  'test/telemetry/traces.test.ts',
]

/** They write one text into every place, those that an event shows among them: there it is no secret. The marks still are. */
export const sameTextEverywhere: readonly string[] = [
  'test/telemetry/log-injection.test.ts',
  'test/testing/attacks.test.ts',
]

/** Programs whose own line has all headers. `logRedaction` takes out those that carry a credential, and cannot know this one. */
export const logHeaders: readonly string[] = ['examples/logging.ts']
