// The state of the control plane: in memory to be read, in SQLite to survive. What one request or one step of a reconciler changes is written in one transaction.
import { DatabaseSync } from "node:sqlite";
import { TranshipError } from "../../base/errors.ts";
import { Collection } from "./collection.ts";
import type { Kinds } from "./entities.ts";

type Collections = { [K in keyof Kinds]: Collection<Kinds[K]> };

/** Of the schema below; a newer one is refused, an older one migrated. */
const version = 1;

export class State implements Collections {
  readonly cluster = new Collection<Kinds["cluster"]>((value) => value.name);
  readonly definition = new Collection<Kinds["definition"]>(
    (value) => value.key,
    (value) => value.family,
  );
  readonly family = new Collection<Kinds["family"]>((value) => value.name);
  readonly task = new Collection<Kinds["task"]>(
    (value) => value.id,
    (value) => value.cluster,
  );
  readonly service = new Collection<Kinds["service"]>(
    (value) => value.key,
    (value) => value.cluster,
  );
  readonly serviceDeployment = new Collection<Kinds["serviceDeployment"]>(
    (value) => value.id,
    (value) => value.service,
  );
  readonly revision = new Collection<Kinds["revision"]>(
    (value) => value.id,
    (value) => value.service,
  );
  readonly instance = new Collection<Kinds["instance"]>(
    (value) => value.id,
    (value) => value.cluster,
  );
  readonly capacityProvider = new Collection<Kinds["capacityProvider"]>((value) => value.name);
  readonly taskSet = new Collection<Kinds["taskSet"]>(
    (value) => value.id,
    (value) => value.service,
  );
  readonly setting = new Collection<Kinds["setting"]>((value) => value.key);
  readonly token = new Collection<Kinds["token"]>((value) => value.key);

  readonly #database: DatabaseSync;
  readonly #write;
  readonly #remove;
  readonly #begin;
  readonly #end;
  readonly #all: readonly [kind: string, collection: Collection<unknown>][];
  /** Resolved or rejected by the next commit. */
  #next: PromiseWithResolvers<void> | undefined;

  /** `file` may be ":memory:". One process at a time: SQLite's lock is held as long as this lives. */
  constructor(file: string) {
    this.#database = open(file);
    this.#all = Object.entries(this).filter(([, value]) => value instanceof Collection);
    this.#write = this.#database.prepare(
      "INSERT INTO documents (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
    );
    this.#begin = this.#database.prepare("BEGIN");
    this.#end = this.#database.prepare("COMMIT");
    this.#remove = this.#database.prepare("DELETE FROM documents WHERE kind = ? AND key = ?");
    // By row: in the order in which they were first written.
    const kinds = new Map(this.#all);
    for (const row of this.#database.prepare("SELECT kind, body FROM documents ORDER BY number").iterate())
      kinds.get(String(row.kind))?.put(JSON.parse(String(row.body)));
    for (const [, collection] of this.#all) collection.changed.clear();
  }

  /**
   * Resolves when what has changed until now is written: calls that come in together are written together. Whoever commits before does it for all;
   * else it is done when the calls that have arrived are dealt with.
   */
  async written(): Promise<void> {
    if (!this.#isDirty()) return;
    this.#next ??= this.#commitSoon();
    await this.#next.promise;
  }

  #commitSoon(): PromiseWithResolvers<void> {
    const mine = Promise.withResolvers<void>();
    mine.promise.catch(() => {}); // told to those who wait
    setImmediate(() => {
      if (this.#next !== mine) return;
      try {
        this.commit();
      } catch {
        // told to those who wait, and what is not written stays to be written
      }
    });
    return mine;
  }

  #isDirty(): boolean {
    return this.#all.some(([, collection]) => collection.changed.size > 0);
  }

  /** Writes what has changed since the last commit, all or nothing. */
  commit(): void {
    const waiting = this.#next;
    this.#next = undefined;
    try {
      this.#commit();
      waiting?.resolve();
    } catch (error) {
      waiting?.reject(error);
      throw error;
    }
  }

  #commit(): void {
    const dirty = this.#all.filter(([, collection]) => collection.changed.size > 0);
    if (dirty.length === 0) return;
    this.#begin.run();
    try {
      for (const [kind, collection] of dirty) {
        for (const key of collection.changed) {
          const value = collection.get(key);
          if (value === undefined) this.#remove.run(kind, key);
          else this.#write.run(kind, key, JSON.stringify(value));
        }
      }
      this.#end.run();
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
    for (const [, collection] of dirty) collection.changed.clear();
  }

  /** Forgets everything. */
  reset(): void {
    for (const [, collection] of this.#all) for (const key of [...collection.keys()]) collection.delete(key);
    this.commit();
  }

  close(): void {
    this.#database.close();
  }
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    database.exec("BEGIN IMMEDIATE; COMMIT");
  } catch (error) {
    database.close();
    throw new TranshipError(
      "E_STATE_BUSY",
      `${file}: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: "another `cluster serve` uses this state root; end it, or use another --root",
      },
    );
  }
  const found = Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0);
  if (found > version)
    throw new TranshipError("E_STATE_VERSION", `${file} has version ${found}; this tool knows ${version}`, {
      hint: "use the newer tranship that wrote it",
    });
  if (found === 0)
    database.exec(
      `BEGIN; CREATE TABLE documents (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, key));
       PRAGMA user_version = ${version}; COMMIT`,
    );
  return database;
}
