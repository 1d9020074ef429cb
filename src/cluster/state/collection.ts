/** The last number that any collection of a state has given: each is given once. */
export interface Numbering {
  last: number;
}

/** Documents of one kind, in the order in which they were first put, with an index by group. Tells the store which have changed. */
export class Collection<T> {
  readonly #numbering: Numbering;
  readonly #keyOf: (value: T) => string;
  readonly #groupOf: ((value: T) => string) | undefined;
  readonly #values = new Map<string, T>();
  /** By key: the store's row, which grows in the order in which documents were first put, over restarts too. */
  readonly #numbers = new Map<string, number>();
  /** By group and key: calls ask for all of a group, and not one by one. */
  readonly #groups = new Map<string, Map<string, T>>();
  /** Another one whenever a document has come, gone or changed. */
  version = 0;
  /** Keys to write at the next commit. */
  readonly changed = new Set<string>();
  /** Rows to remove at the next commit. */
  readonly removed = new Set<number>();

  constructor(numbering: Numbering, keyOf: (value: T) => string, groupOf?: (value: T) => string) {
    this.#numbering = numbering;
    this.#keyOf = keyOf;
    this.#groupOf = groupOf;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  /** Also to be called after a document was changed in place: else the change does not survive. */
  put(value: T): void {
    const key = this.#keyOf(value);
    this.#values.set(key, value);
    if (!this.#numbers.has(key)) this.#numbers.set(key, ++this.#numbering.last);
    this.changed.add(key);
    this.version++;
    const group = this.#groupOf?.(value);
    if (group === undefined) return;
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Map([[key, value]]));
    else members.set(key, value);
  }

  /** One that the store has; in the order of the numbers. */
  load(value: T, number: number): void {
    this.#numbers.set(this.#keyOf(value), number);
    this.#numbering.last = number;
    this.put(value);
  }

  delete(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.removed.add(this.numberOf(key));
    this.#numbers.delete(key);
    this.changed.delete(key);
    this.version++;
    const group = this.#groupOf?.(value);
    if (group === undefined) return;
    const members = this.#groups.get(group);
    members?.delete(key);
    if (members?.size === 0) this.#groups.delete(group);
  }

  /** Its row: greater than those of all that were put before it, and never another one's. */
  numberOf(key: string): number {
    return this.#numbers.get(key) ?? 0;
  }

  all(): IterableIterator<T> {
    return this.#values.values();
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  group(group: string): IterableIterator<T> {
    return this.#groups.get(group)?.values() ?? [][Symbol.iterator]();
  }

  sizeOfGroup(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }
}
