// The state of the control plane: in memory to be read, in SQLite to survive. What one request or one step of a reconciler changes is written in one transaction.
import { DatabaseSync } from "node:sqlite";
import { TranshipError } from "../../base/errors.ts";
import { Collection, type Numbering } from "./collection.ts";
import type { Kinds } from "./entities.ts";

type Collections = { [K in keyof Kinds]: Collection<Kinds[K]> };

export class State implements Collections {
  readonly #numbering: Numbering = { last: 0 };
  readonly cluster = new Collection<Kinds["cluster"]>(this.#numbering, (value) => value.name);
  readonly definition = new Collection<Kinds["definition"]>(
    this.#numbering,
    (value) => value.key,
    (value) => value.family,
  );
  readonly family = new Collection<Kinds["family"]>(this.#numbering, (value) => value.name);
  readonly task = new Collection<Kinds["task"]>(
    this.#numbering,
    (value) => value.id,
    (value) => value.cluster,
  );
  readonly service = new Collection<Kinds["service"]>(
    this.#numbering,
    (value) => value.key,
    (value) => value.cluster,
  );
  readonly serviceDeployment = new Collection<Kinds["serviceDeployment"]>(
    this.#numbering,
    (value) => value.id,
    (value) => value.service,
  );
  readonly revision = new Collection<Kinds["revision"]>(
    this.#numbering,
    (value) => value.id,
    (value) => value.service,
  );
  readonly instance = new Collection<Kinds["instance"]>(
    this.#numbering,
    (value) => value.id,
    (value) => value.cluster,
  );
  readonly capacityProvider = new Collection<Kinds["capacityProvider"]>(
    this.#numbering,
    (value) => value.name,
  );
  readonly taskSet = new Collection<Kinds["taskSet"]>(
    this.#numbering,
    (value) => value.id,
    (value) => value.service,
  );
  readonly setting = new Collection<Kinds["setting"]>(this.#numbering, (value) => value.key);
  readonly token = new Collection<Kinds["token"]>(this.#numbering, (value) => value.key);

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
      "INSERT INTO documents (number, kind, body) VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET body = excluded.body",
    );
    this.#begin = this.#database.prepare("BEGIN");
    this.#end = this.#database.prepare("COMMIT");
    this.#remove = this.#database.prepare("DELETE FROM documents WHERE number = ?");
    const kinds = new Map(this.#all);
    const rows = this.#database.prepare("SELECT number, kind, body FROM documents ORDER BY number");
    for (const { number, kind, body } of rows.iterate())
      kinds.get(String(kind))?.load(JSON.parse(String(body)), Number(number));
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
    return this.#all.some(([, collection]) => isDirty(collection));
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
    const dirty = this.#all.filter(([, collection]) => isDirty(collection));
    if (dirty.length === 0) return;
    this.#begin.run();
    try {
      for (const [kind, collection] of dirty) {
        for (const number of collection.removed) this.#remove.run(number);
        for (const key of collection.changed)
          this.#write.run(collection.numberOf(key), kind, JSON.stringify(collection.get(key)));
      }
      this.#end.run();
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
    for (const [, collection] of dirty) {
      collection.changed.clear();
      collection.removed.clear();
    }
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
  migrate(database, file);
  return database;
}

function isDirty({ changed, removed }: Collection<unknown>): boolean {
  return changed.size > 0 || removed.size > 0;
}

/**
 * What makes a schema of the one before it, from an empty file on. Documents are found in memory and written by number: an index by key would
 * cost more than the documents themselves.
 */
const migrations = [
  "CREATE TABLE documents (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, key))",
  `CREATE TABLE numbered (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL);
   INSERT INTO numbered SELECT number, kind, body FROM documents ORDER BY number;
   DROP TABLE documents;
   ALTER TABLE numbered RENAME TO documents`,
];

/** E_STATE_VERSION for a state that a newer tool wrote. */
function migrate(database: DatabaseSync, file: string): void {
  const found = Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0);
  if (found > migrations.length)
    throw new TranshipError(
      "E_STATE_VERSION",
      `${file} has version ${found}; this tool knows ${migrations.length}`,
      { hint: "use the newer tranship that wrote it" },
    );
  for (const [index, step] of migrations.entries())
    if (index >= found) database.exec(`BEGIN; ${step}; PRAGMA user_version = ${index + 1}; COMMIT`);
}
