/** Documents of one kind, in the order in which they were first put, with an index by group. Tells the store which have changed. */
export class Collection<T> {
  readonly #keyOf: (value: T) => string;
  readonly #groupOf: ((value: T) => string) | undefined;
  readonly #values = new Map<string, T>();
  /** By group and key: calls ask for all of a group, and not one by one. */
  readonly #groups = new Map<string, Map<string, T>>();
  /** Keys to write at the next commit; what is not in #values by then is removed. */
  readonly changed = new Set<string>();

  constructor(keyOf: (value: T) => string, groupOf?: (value: T) => string) {
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
    this.changed.add(key);
    const group = this.#groupOf?.(value);
    if (group === undefined) return;
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Map([[key, value]]));
    else members.set(key, value);
  }

  delete(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.changed.add(key);
    const group = this.#groupOf?.(value);
    if (group === undefined) return;
    const members = this.#groups.get(group);
    members?.delete(key);
    if (members?.size === 0) this.#groups.delete(group);
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
