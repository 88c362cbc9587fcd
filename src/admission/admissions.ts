import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Admitted } from '../connection/admitted.ts'

/** Admissions that wait for their socket, by stream and by request: ws asks by either. Each is taken once. */
export class Admissions {
  readonly #byStream = new WeakMap<Duplex, Admitted>()
  readonly #byRequest = new WeakMap<IncomingMessage, Admitted>()

  grant(stream: Duplex, request: IncomingMessage, admitted: Admitted): void {
    this.#byStream.set(stream, admitted)
    this.#byRequest.set(request, admitted)
  }

  take(stream: Duplex): Admitted | undefined {
    const admitted = this.#byStream.get(stream)
    this.#byStream.delete(stream)
    admitted?.place?.open()
    return admitted
  }

  of(request: IncomingMessage): Admitted | undefined {
    return this.#byRequest.get(request)
  }
}
