import type { HistoryListener } from '../history/history.ts'
import { effectOf, type Observation, type Operation, type Rule, type Value, type Write } from '../history/operation.ts'
import { initialValue, kindOf, partsOf } from '../history/registers.ts'
import { type Context, createFinding, describeValues, type Finding } from './finding.ts'
import { checkList } from './list-rules.ts'
import type { Candidate, Register } from './register.ts'
import { World } from './world.ts'

/** A count above what the run can explain: other accounts may have done it. `isOfWrite`: the answer to a write has it. */
export type Excess = { count: string; most: number; seen: number; isOfWrite: boolean; finding: Finding }

export type CheckerOptions = {
  /** Other accounts are a contradiction, too. */
  alone?: boolean
  onFinding?: (finding: Finding) => void
  /** Without it, and when alone, an excess is a finding, as is one to which no other account can add. */
  onExcess?: (excess: Excess) => void
}

type InFlight = { operation: Operation; writes: [Register, Candidate][] }

/** The server removes so much of a deleted account before it answers, the rest later. */
const removedAtOnce = 900

/** Compares a history with the rules while it happens, or later from a ledger file. Memory grows with the objects only. */
export class Checker implements HistoryListener {
  readonly findings: Finding[] = []
  readonly foreign = new Set<string>()
  /** Comparisons so far. */
  checked = 0
  /** Writes without an answer that a read has shown to have happened. */
  pinned = 0
  #world = new World()
  #options: CheckerOptions
  /** In the order of sending: the first is the earliest. */
  #inFlight = new Map<number, InFlight>()

  constructor(options: CheckerOptions = {}) {
    this.#options = options
  }

  /** Registers that an attempt without an answer has left open. */
  get open(): number {
    return this.#world.openRegisters()
  }

  /** The values that a register may hold, as far as is known now. */
  possibleValues(register: string): Value[] {
    return this.#world.find(register)?.possibleValues() ?? [initialValue(register)]
  }

  /** Whether the object of a register that says what exists may be deleted. */
  mayBeGone(register: string): boolean {
    return this.possibleValues(register).includes(false)
  }

  /** The sizes that a collection may have now, or may have had since a request in flight was sent. */
  sizes(name: string, since = Number.POSITIVE_INFINITY): { least: number; most: number } {
    return this.#world.collection(name).sizesSince(since)
  }

  begin(operation: Operation, writes: readonly Write[]): void {
    const inFlight: InFlight = { operation, writes: [] }
    this.#inFlight.set(operation.id, inFlight)
    const write = (register: Register, value: Value) => {
      register.forget(this.#earliest())
      inFlight.writes.push([register, register.begin(value, operation.sent)])
      this.#update(register, operation.sent)
    }
    for (const { register, value, parent } of writes) {
      write(this.#world.register(register, parent), value)
      if (kindOf(register) !== 'account' || value !== false) continue
      for (const owned of this.#world.ownedBy(partsOf(register)[0]))
        if (owned.possibleValues().some((possible) => possible !== initialValue(owned.name)))
          write(owned, initialValue(owned.name))
    }
  }

  end(operation: Operation, observations: readonly Observation[]): void {
    const begun = this.#inFlight.get(operation.id)
    if (!begun) return
    // A ledger file has an object of its own for the end.
    const inFlight = { ...begun, operation }
    const answeredAt = operation.answered ?? operation.sent
    const effect = effectOf(operation)
    for (const [n, [register, candidate]] of inFlight.writes.entries()) {
      const isRemovedLater = effect === 'acknowledged' && n > removedAtOnce
      register.end(candidate, isRemovedLater ? 'indeterminate' : effect, answeredAt, operation.requestId)
      this.#update(register, answeredAt)
    }
    for (const observation of observations) this.#observe(inFlight, answeredAt, observation)
    this.#inFlight.delete(operation.id)
  }

  #observe(inFlight: InFlight, answeredAt: number, observation: Observation): void {
    const { operation } = inFlight
    if ('placed' in observation) {
      this.#world.place(observation.placed, { at: observation.at, id: observation.id })
      return
    }
    this.checked += 1
    if ('register' in observation) this.#read(operation, answeredAt, observation.register, observation.value)
    else if ('count' in observation) this.#count(inFlight, observation.count, observation.value)
    else if ('list' in observation) {
      const { list, since } = observation
      for (const contradiction of checkList(this.#world, observation, (key) => this.#meet(operation, list, key)))
        this.#report('S', list, contradiction, { operation, since })
    } else if (!observation.holds) {
      this.#report(observation.claim, observation.object, observation, { operation })
    }
  }

  #read(operation: Operation, answeredAt: number, name: string, value: Value): void {
    // Of each robot and each post that it sees, most often that it has not reacted: nothing to remember.
    if (value === initialValue(name) && !this.#world.find(name)) return
    const register = this.#world.register(name)
    const wasOpen = register.isOpen()
    const result = register.read(value, operation.sent, answeredAt)
    if (result.outcome === 'unexplained') {
      const values = result.expected.map((candidate) => candidate.value)
      const writeIds = [result.expected.at(-1)?.requestId]
      this.#report('R', name, describeValues(values, value), { operation, writeIds })
      return
    }
    const { effect } = result.by
    if ((effect === 'indeterminate' || effect === 'late') && wasOpen && !register.isOpen()) this.pinned += 1
    // Most reads show what was known, and hundreds of reactions may depend on a post.
    if (result.hasChanged) this.#update(register, answeredAt)
  }

  #count({ operation, writes }: InFlight, name: string, seen: number): void {
    const collection = this.#world.collection(name)
    const own = writes
      .flatMap(([register]) => this.#world.membersOf(register))
      .find((member) => collection.members.get(member.key) === member)
    const { least, most } = collection.sizesSince(operation.sent, own)
    if (seen >= least && seen <= most) return
    const expected = least === most ? String(least) : `${least} to ${most}`
    const finding = createFinding('C', name, { expected, seen: String(seen) }, { operation })
    const isOwn = kindOf(name) === 'recoveryCodes'
    if (seen < least || isOwn || this.#options.alone || !this.#options.onExcess) this.#add(finding)
    else this.#options.onExcess({ count: name, most, seen, isOfWrite: writes.length > 0, finding })
  }

  #meet(operation: Operation, list: string, key: string): void {
    this.foreign.add(key)
    if (this.#options.alone)
      this.#report('S', list, { expected: 'accounts of this run alone', seen: key }, { operation })
  }

  #update(register: Register, now: number): void {
    for (const member of this.#world.membersOf(register)) member.update(now, this.#earliest())
  }

  #report(rule: Rule, object: string, values: { expected: string; seen: string }, context: Context): void {
    this.#add(createFinding(rule, object, values, context))
  }

  #add(finding: Finding): void {
    this.findings.push(finding)
    this.#options.onFinding?.(finding)
  }

  /** When the earliest operation in flight was sent; the caller's own is among them. */
  #earliest(): number {
    const [first] = this.#inFlight.values()
    return first?.operation.sent ?? Number.NEGATIVE_INFINITY
  }
}
