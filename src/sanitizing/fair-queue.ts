/** A document that waits for a worker, and who sent it. */
export interface Sent {
  /** A session or an address; `undefined` is the application itself, which nobody has to be protected from. */
  readonly sender: string | undefined
  /** UTF-16 units, by which it is guessed what it will cost. */
  readonly length: number
}

/** The bounds of one sender, so that the rest of the pool is everybody else's. */
export interface Share {
  /** Documents that wait or are being cleaned. */
  readonly documents: number
  /** Milliseconds of worker time at once; after that the sender waits until some are given back. */
  readonly milliseconds: number
  /** Milliseconds given back per second. */
  readonly perSecond: number
}

/** A tenth of one thread for good, and a second of it at once: ordinary documents take a few milliseconds each. */
export const ordinaryShare: Share = { documents: 256, milliseconds: 1_000, perSecond: 100 }

interface Account<T> {
  readonly waiting: T[]
  underway: number
  /** Worker time that was used and not given back yet, as of `at`. */
  spent: number
  at: number
}

interface Next<T> {
  readonly account: Account<T>
  readonly index: number
  readonly item: T
  readonly spent: number
}

/** Measured on jsdom 31: markup that is dense and stays, the dearest, costs three times as much, ordinary text a third. */
const millisecondsPerUnit = 1 / 200

/** Above this, accounts with nothing in them are looked for: an account may be as short-lived as a session. */
const manyAccounts = 1_024

/**
 * One queue for each sender. The next document is of the sender who will have used the least worker time lately once it is
 * cleaned, and among equals each in turn: whoever sends dear documents waits for their own, and not everybody for them. A
 * sender nobody knows yet, with a long document, comes behind one who has just had a short one cleaned.
 */
export class FairQueue<T extends Sent> {
  readonly #accounts = new Map<string | undefined, Account<T>>()
  readonly #share: Share
  readonly #now: () => number
  #length = 0

  constructor(share: Share = ordinaryShare, now: () => number = () => performance.now()) {
    this.#share = share
    this.#now = now
  }

  /** Documents that wait. */
  get length(): number {
    return this.#length
  }

  get accounts(): number {
    return this.#accounts.size
  }

  /** Why nothing more of this sender is taken, or nothing. */
  obstacle(sender: string | undefined): string | undefined {
    if (sender === undefined) return undefined
    const account = this.#accounts.get(sender)
    if (account === undefined) return undefined
    if (account.waiting.length + account.underway >= this.#share.documents) {
      return `more than ${this.#share.documents} documents of one sender at once`
    }
    return this.exhausted(sender)
  }

  /** Why what this sender already has in the queue is not worth cleaning any more, or nothing. */
  exhausted(sender: string | undefined): string | undefined {
    const account = sender === undefined ? undefined : this.#accounts.get(sender)
    if (account === undefined) return undefined
    this.#giveBack(account)
    return account.spent >= this.#share.milliseconds ? 'its sender has used up their share of time' : undefined
  }

  push(item: T): void {
    this.#accountOf(item.sender).waiting.push(item)
    this.#length += 1
  }

  /** Back to the front: it was taken, and not looked at. */
  unshift(item: T): void {
    const account = this.#accountOf(item.sender)
    account.underway -= 1
    account.waiting.unshift(item)
    this.#length += 1
  }

  /** The item whose turn it is among those of at most this length, still in the queue. */
  peek(most = Number.POSITIVE_INFINITY): T | undefined {
    return this.#next(most)?.item
  }

  /** Takes the item whose turn it is; `settled` must follow, or `unshift`. */
  shift(most = Number.POSITIVE_INFINITY): T | undefined {
    const next = this.#next(most)
    if (next === undefined) return undefined
    const { account, index, item } = next
    account.waiting.splice(index, 1)
    account.underway += 1
    this.#length -= 1
    // To the end of the map: among equals it is the others' turn.
    this.#accounts.delete(item.sender)
    this.#accounts.set(item.sender, account)
    return item
  }

  /** An item that was taken has its outcome, and has cost so much. */
  settled({ sender }: T, milliseconds: number): void {
    const account = this.#accountOf(sender)
    this.#giveBack(account)
    account.underway -= 1
    account.spent += milliseconds
  }

  /** Takes out all that waits. */
  clear(): readonly T[] {
    const all = [...this.#accounts.values()].flatMap(({ waiting }) => waiting.splice(0))
    this.#length = 0
    return all
  }

  #next(most: number): Next<T> | undefined {
    let next: Next<T> | undefined
    for (const account of this.#accounts.values()) {
      const index = account.waiting.findIndex(({ length }) => length <= most)
      const item = account.waiting[index]
      if (item === undefined) continue
      this.#giveBack(account)
      const spent = account.spent + item.length * millisecondsPerUnit
      if (next === undefined || spent < next.spent) next = { account, index, item, spent }
    }
    return next
  }

  #accountOf(sender: string | undefined): Account<T> {
    const known = this.#accounts.get(sender)
    if (known !== undefined) return known
    if (this.#accounts.size >= manyAccounts) this.#forgetIdle()
    const account: Account<T> = { waiting: [], underway: 0, spent: 0, at: this.#now() }
    this.#accounts.set(sender, account)
    return account
  }

  #giveBack(account: Account<T>): void {
    const now = this.#now()
    account.spent = Math.max(0, account.spent - ((now - account.at) / 1_000) * this.#share.perSecond)
    account.at = now
  }

  #forgetIdle(): void {
    for (const [sender, account] of this.#accounts) {
      this.#giveBack(account)
      if (account.waiting.length === 0 && account.underway === 0 && account.spent === 0) this.#accounts.delete(sender)
    }
  }
}
