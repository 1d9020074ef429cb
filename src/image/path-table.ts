// Paths of a file system and a number for each, in few bytes a path: names are kept as a hash of 64 bits. Directories that are
// emptied or removed take what is below them along at once, however much that is.
import type { ByteString } from "../formats/entry.ts";
import { hashText } from "./text-hash.ts";

const first = 1 << 10;
/** Of its places, how many may be taken before the table grows. */
const fullness = 0.7;

/** A number of a name whose object is not known: a directory that only names below it tell of. */
const implied = 0;
const gone = 0xffff_ffff;

const nowhere = { path: "", scope: 0 };

/**
 * Each name has a number of the caller's (from 1 on). What is below a directory is found by the directory's scope, a number that changes
 * when it is emptied: the old names stay in the table and are never found again.
 */
export class PathTable {
  readonly #isDirectory: (number: number) => boolean;
  #capacity = first;
  #used = 0;
  /** Two numbers for each place. */
  #keys = new Uint32Array(first * 2);
  /** Of the name that is looked for. */
  readonly #key = new Uint32Array(2);
  /** 0: the place is free. */
  #scopes = new Uint32Array(first);
  #numbers = new Uint32Array(first);
  #scopeCount = 1;
  #visited: Uint8Array | undefined;
  readonly #rootScope = { value: 1, number: implied };
  /** Directories of the last paths: neighbours come one after the other. */
  #lastMade = nowhere;
  #lastFound = nowhere;

  /** isDirectory: of a number that was given; what is below anything else is gone. */
  constructor(isDirectory: (number: number) => boolean) {
    this.#isDirectory = isDirectory;
  }

  /** Makes the name, and the directories above it where nothing tells of them. */
  set(path: ByteString, number: number): void {
    if (path === "/") {
      this.#rootScope.number = number;
      return;
    }
    const place = this.#make(this.#scopeOf(directoryOf(path)), nameOf(path));
    if (this.#numbers[place] === gone || !this.#isDirectory(number)) this.#renew(place);
    this.#numbers[place] = number;
  }

  /** 0 for a directory that only names below it tell of; undefined where there is nothing. */
  get(path: ByteString): number | undefined {
    if (path === "/") return this.#rootScope.number;
    const place = this.#placeOf(path);
    return place === undefined ? undefined : this.#numbers[place];
  }

  /** Notes that somebody came by; returns the number. No names are made after it. */
  visit(path: ByteString): number | undefined {
    const place = path === "/" ? undefined : this.#placeOf(path);
    if (place === undefined) return this.get(path);
    this.#visited ??= new Uint8Array(this.#capacity);
    this.#visited[place] = 1;
    return this.#numbers[place];
  }

  isVisited(path: ByteString): boolean {
    const place = this.#placeOf(path);
    return place === undefined || this.#visited?.[place] === 1;
  }

  /** False also where what was not visited is no longer to be found. */
  allVisited(): boolean {
    for (let place = 0; place < this.#capacity; place++) {
      const number = this.#numbers[place];
      const isThere = this.#scopes[place] !== 0 && number !== gone && number !== implied;
      if (isThere && this.#visited?.[place] !== 1) return false;
    }
    return true;
  }

  /** The name, and all below it. */
  remove(path: ByteString): void {
    const place = this.#placeOf(path);
    if (place === undefined) return;
    this.#renew(place);
    this.#numbers[place] = gone;
  }

  /** All below the directory. */
  clear(path: ByteString): void {
    if (path === "/") this.#rootScope.value = this.#nextScope();
    else {
      const place = this.#placeOf(path);
      if (place !== undefined) this.#renew(place);
    }
    this.#forget();
  }

  /** Of a name that is there. */
  #placeOf(path: ByteString): number | undefined {
    const scope = this.#scopeIfThere(directoryOf(path));
    const place = scope === undefined ? undefined : this.#find(scope, nameOf(path));
    return place === undefined || this.#numbers[place] === gone ? undefined : place;
  }

  #scopeIfThere(directory: ByteString): number | undefined {
    if (directory === "/") return this.#rootScope.value;
    if (this.#lastFound.path === directory) return this.#lastFound.scope;
    let scope = this.#rootScope.value;
    for (const name of directory.split("/")) {
      if (name === "") continue;
      const place = this.#find(scope, name);
      if (place === undefined || this.#numbers[place] === gone) return undefined;
      scope = this.#scopes[place] ?? 0;
    }
    this.#lastFound = { path: directory, scope };
    return scope;
  }

  #scopeOf(directory: ByteString): number {
    if (directory === "/") return this.#rootScope.value;
    if (this.#lastMade.path === directory) return this.#lastMade.scope;
    let scope = this.#rootScope.value;
    for (const name of directory.split("/")) {
      if (name === "") continue;
      const place = this.#make(scope, name);
      const number = this.#numbers[place] ?? gone;
      if (number === gone || (number !== implied && !this.#isDirectory(number))) {
        this.#renew(place);
        this.#numbers[place] = implied;
      }
      scope = this.#scopes[place] ?? 0;
    }
    this.#lastMade = { path: directory, scope };
    return scope;
  }

  /** Whatever was below the name is no more. */
  #renew(place: number): void {
    this.#scopes[place] = this.#nextScope();
    this.#forget();
  }

  #forget(): void {
    this.#lastMade = nowhere;
    this.#lastFound = nowhere;
  }

  #nextScope(): number {
    return ++this.#scopeCount;
  }

  #find(scope: number, name: ByteString): number | undefined {
    hashText(name, scope, this.#key);
    const place = this.#slot(this.#key[0] ?? 0, this.#key[1] ?? 0);
    return this.#scopes[place] === 0 ? undefined : place;
  }

  #make(scope: number, name: ByteString): number {
    if (this.#used + 1 > this.#capacity * fullness) this.#grow();
    hashText(name, scope, this.#key);
    const [one = 0, two = 0] = this.#key;
    const place = this.#slot(one, two);
    if (this.#scopes[place] !== 0) return place;
    this.#used++;
    this.#keys[place * 2] = one;
    this.#keys[place * 2 + 1] = two;
    this.#scopes[place] = this.#nextScope();
    this.#numbers[place] = implied;
    return place;
  }

  /** Where the key is, or the free place for it. */
  #slot(one: number, two: number): number {
    const mask = this.#capacity - 1;
    let place = one & mask;
    while (this.#scopes[place] !== 0 && (this.#keys[place * 2] !== one || this.#keys[place * 2 + 1] !== two))
      place = (place + 1) & mask;
    return place;
  }

  #grow(): void {
    const [keys, scopes, numbers] = [this.#keys, this.#scopes, this.#numbers];
    this.#capacity *= 2;
    this.#keys = new Uint32Array(this.#capacity * 2);
    this.#scopes = new Uint32Array(this.#capacity);
    this.#numbers = new Uint32Array(this.#capacity);
    for (let old = 0; old < scopes.length; old++) {
      if (scopes[old] === 0) continue;
      const [one = 0, two = 0] = keys.subarray(old * 2, old * 2 + 2);
      const place = this.#slot(one, two);
      this.#keys[place * 2] = one;
      this.#keys[place * 2 + 1] = two;
      this.#scopes[place] = scopes[old] ?? 0;
      this.#numbers[place] = numbers[old] ?? 0;
    }
  }
}

function directoryOf(path: ByteString): ByteString {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}
