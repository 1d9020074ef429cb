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

  /** `file` may be ":memory:". One process at a time: SQLite's lock is held as long as this lives. */
  constructor(file: string) {
    this.#database = open(file);
    this.#write = this.#database.prepare(
      "INSERT INTO documents (kind, key, body) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
    );
    this.#remove = this.#database.prepare("DELETE FROM documents WHERE kind = ? AND key = ?");
    // By row: in the order in which they were first written.
    for (const row of this.#database.prepare("SELECT kind, body FROM documents ORDER BY number").iterate()) {
      const collection = this.#collections().get(String(row.kind));
      (collection as Collection<unknown> | undefined)?.put(JSON.parse(String(row.body)));
    }
    for (const collection of this.#collections().values()) collection.changed.clear();
  }

  /** Writes what has changed since the last commit, all or nothing. */
  commit(): void {
    const dirty = [...this.#collections()].filter(([, collection]) => collection.changed.size > 0);
    if (dirty.length === 0) return;
    this.#database.exec("BEGIN");
    try {
      for (const [kind, collection] of dirty) {
        for (const key of collection.changed) {
          const value = collection.get(key);
          if (value === undefined) this.#remove.run(kind, key);
          else this.#write.run(kind, key, JSON.stringify(value));
        }
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
    for (const [, collection] of dirty) collection.changed.clear();
  }

  /** Forgets everything. */
  reset(): void {
    for (const collection of this.#collections().values())
      for (const key of [...collection.keys()]) collection.delete(key);
    this.commit();
  }

  close(): void {
    this.#database.close();
  }

  #collections(): Map<string, Collection<never> | Collection<unknown>> {
    return new Map(
      Object.entries(this).filter(([, value]) => value instanceof Collection) as [
        string,
        Collection<unknown>,
      ][],
    );
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
