import { badOption } from '../errors.ts'

/** How long a revocation is remembered where the credential does not say when it ends, in ms. @throws SecureWsError `SWS_BAD_OPTION` */
export function checkMaxAge(value: unknown, path: string): number {
  if (value === undefined) return 2_592_000_000
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1_000 && value <= 3_153_600_000_000) {
    return value
  }
  throw badOption(
    path,
    value,
    'Write how long your credentials can live, in milliseconds from 1_000 to 3_153_600_000_000, such as 2_592_000_000 (30 days).',
  )
}
