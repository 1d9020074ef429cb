// Names and passwords as `htpasswd -B` writes them. Only bcrypt is taken: the other forms can be guessed by the million.
import { createHash, timingSafeEqual } from "node:crypto";
import { statSync } from "node:fs";
import { compare } from "bcryptjs";
import { TranshipError } from "../../base/errors.ts";
import { readInput } from "../../host/files.ts";
import { HttpError } from "./http-error.ts";

const maxFile = 4 << 20;
/** How long a password that was right need not be computed again, milliseconds: it takes a tenth of a second each time. */
const remembered = 300_000;
const maxRemembered = 1000;
/** Computations under way at once: more at a time come from somebody who guesses. */
const maxComputing = 8;
/** Of a password that nobody has: unknown names take as long as known ones. */
const nobody = "$2b$10$CwTycUXWue0Thq9StjUM0uJ8.z4pXqDmXoGmCnZ0dQ1eXo3sWzY6K";

export class Htpasswd {
  readonly #path: string;
  #users = new Map<string, string>();
  #read = "";
  readonly #known = new Map<string, { proof: Buffer; until: number }>();
  #computing = 0;

  /** E_IO, E_USAGE where the file cannot be used. */
  constructor(path: string) {
    this.#path = path;
    this.#refresh();
  }

  /** The user of a header Authorization; undefined where it lets nobody in. */
  async user(header: string | undefined): Promise<string | undefined> {
    const pair = /^Basic ([A-Za-z0-9+/=]{1,4096})$/i.exec(header ?? "")?.[1];
    if (pair === undefined) return undefined;
    const text = Buffer.from(pair, "base64").toString("utf8");
    const colon = text.indexOf(":");
    if (colon < 1) return undefined;
    this.#refreshIfChanged();
    const user = text.slice(0, colon);
    const hash = this.#users.get(user);
    const proof = createHash("sha256")
      .update(`${hash ?? ""}\n${text}`)
      .digest();
    const known = this.#known.get(user);
    if (known !== undefined && known.until > Date.now() && timingSafeEqual(known.proof, proof)) return user;
    if (!(await this.#compare(text.slice(colon + 1), hash ?? nobody)) || hash === undefined) return undefined;
    if (this.#known.size >= maxRemembered) this.#known.clear();
    this.#known.set(user, { proof, until: Date.now() + remembered });
    return user;
  }

  async #compare(password: string, hash: string): Promise<boolean> {
    if (this.#computing >= maxComputing)
      throw new HttpError(429, "TOOMANYREQUESTS", "too many logins at once", { "retry-after": "1" });
    this.#computing++;
    try {
      return await compare(password, hash);
    } finally {
      this.#computing--;
    }
  }

  #stamp(): string {
    const { mtimeMs, size, ino } = statSync(this.#path);
    return `${mtimeMs} ${size} ${ino}`;
  }

  /** A file that is just being written anew, or is broken, changes nothing. */
  #refreshIfChanged(): void {
    try {
      if (this.#stamp() !== this.#read) this.#refresh();
    } catch {} // who was let in before still is
  }

  #refresh(): void {
    const bytes = readInput(this.#path, "the password file", maxFile);
    if (bytes === undefined)
      throw new TranshipError("E_LIMIT", `${this.#path} has more than ${maxFile} bytes`);
    const users = new Map<string, string>();
    for (const [i, line] of bytes.toString("utf8").split("\n").entries()) {
      if (line.trim() === "" || line.startsWith("#")) continue;
      const [, user, hash] = /^([^:]+):(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})\s*$/.exec(line) ?? [];
      if (user === undefined || hash === undefined) {
        throw new TranshipError(
          "E_USAGE",
          `line ${i + 1} of ${this.#path} is no name with a bcrypt password`,
          {
            hint: "write it with `htpasswd -B`",
          },
        );
      }
      users.set(user, hash);
    }
    this.#read = this.#stamp();
    this.#users = users;
    this.#known.clear();
  }
}
