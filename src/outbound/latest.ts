import { badOption } from '../errors.ts'

/**
 * Reads the `latest` that the caller wrote: an option object inherits what a polluted Object.prototype has.
 * @throws SecureWsError SWS_BAD_OPTION
 */
export function latestOption(
  options: { readonly latest?: string | undefined; readonly fin?: boolean | undefined } | undefined,
): string | undefined {
  if (options === undefined || !Object.hasOwn(options, 'latest') || options.latest === undefined) return undefined
  if (!isLatestKey(options.latest)) {
    throw badOption(
      'send(value, { latest })',
      options.latest,
      "Write a name of 1 to 256 characters, such as 'position': of the messages with one name, a client that is behind gets the newest.",
    )
  }
  if (options.fin === false) {
    throw badOption(
      'send(value, { fin })',
      false,
      'A message with `latest` is sent whole: part of one cannot be replaced.',
    )
  }
  return options.latest
}

export function isLatestKey(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 256
}
