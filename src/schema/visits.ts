/**
 * How many `$ref`s one message may take the validator through. A schema that refers to itself from two branches doubles the work
 * with every level: 1 KiB of thirty levels would take hours. One that does not needs a visit per value and branch.
 */
export const mostVisits = 50_000
/** Validation is synchronous, so one count serves all: it starts at 0 with every message. */
export const visits = { count: 0 }

/** Beside every `$ref`; ours, not the author's. */
export const visitKeyword = 'sws:visit'
