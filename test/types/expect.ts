/** `true` only for the very same type: `any` equals nothing but `any`, and an optional member is not a required one. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

export type Expect<T extends true> = T

/** For values: `is<string>()(value)` compiles when `value` is a `string` and nothing else. */
export declare function is<Wanted>(): <Given>(
  value: Given,
  ...wrong: Equal<Given, Wanted> extends true ? [] : [expected: Wanted, got: Given]
) => true

// What everything here is told with can tell.
export type Told = [
  Expect<Equal<{ a: string }, { a: string }>>,
  // @ts-expect-error TS2344
  Expect<Equal<string, number>>,
  // @ts-expect-error TS2344
  Expect<Equal<unknown, string>>,
  // @ts-expect-error TS2344
  Expect<Equal<{ a: typeof anything }, { a: string }>>,
  // @ts-expect-error TS2344
  Expect<Equal<{ a?: string }, { a: string }>>,
]
// biome-ignore lint/suspicious/noExplicitAny: it is the one thing that must not pass for a string.
declare const anything: any
declare const text: string
is<string>()(text)
// @ts-expect-error TS2554
is<string>()(anything)
// @ts-expect-error TS2554
is<string | undefined>()(text)
