// Paths of a file system and a number for each, in few bytes a path: names are kept as a hash of 64 bits. Directories that are
// emptied or removed take what is below them along at once, however much that is.
//
// What a layer removes is lower layers', never its own, wherever in the layer the mark stands. So each name has the layer that named it, or
// something below it, last, and a directory the layer from which on names below it count.
import type { ByteString } from "../formats/entry.ts";
import { hashText } from "./text-hash.ts";

const first = 1 << 10;
/** Of its places, how many may be taken before the table grows. */
const fullness = 0.7;

/** A number of a name whose object is not known: a directory that only names below it tell of. */
const implied = 0;
const gone = 0xffff_ffff;

const maxStamp = 0xffff;

/** Where names of a directory are found: its scope, and the layer from which on they count. */
interface Below {
  path: ByteString;
  scope: number;
  since: number;
}

const nowhere: Below = { path: "", scope: 0, since: 0 };

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
  /** Of each name its layer, and the one from which on names below it count. */
  #stamps = new Uint16Array(first);
  #sinces = new Uint16Array(first);
  #scopeCount = 1;
  #layer = 0;
  /** The highest number before each layer. */
  readonly #before: number[] = [0];
  #visited: Uint8Array | undefined;
  readonly #root: Below & { number: number } = { path: "/", scope: 1, since: 0, number: implied };
  /** Directories of the last paths: neighbours come one after the other. */
  #lastMade: Below = nowhere;
  #lastFound: Below = nowhere;

  /** isDirectory: of a number that was given; what is below anything else is gone. */
  constructor(isDirectory: (number: number) => boolean) {
    this.#isDirectory = isDirectory;
  }

  /** Numbers of what follows are above `before`, the highest so far. */
  beginLayer(before: number): void {
    this.#layer = Math.min(this.#layer + 1, maxStamp);
    this.#before[this.#layer] = before;
    this.#forget();
  }

  /** Makes the name, and the directories above it where nothing tells of them. */
  set(path: ByteString, number: number): void {
    if (path === "/") {
      this.#root.number = number;
      return;
    }
    const place = this.#make(this.#madeIn(directoryOf(path)), nameOf(path));
    if (this.#numbers[place] === gone || !this.#isDirectory(number)) this.#renew(place);
    this.#numbers[place] = number;
  }

  /** Makes a directory that only names below it tell of, and those above it. */
  imply(directory: ByteString): void {
    if (directory !== "/") this.#madeIn(directory);
  }

  /** 0 for a directory that only names below it tell of; undefined where there is nothing. */
  get(path: ByteString): number | undefined {
    return path === "/" ? this.#root.number : this.#find(path)?.number;
  }

  /** Notes that somebody came by; returns the number. No names are made after it. */
  visit(path: ByteString): number | undefined {
    const found = path === "/" ? undefined : this.#find(path);
    if (found === undefined) return this.get(path);
    this.#visited ??= new Uint8Array(this.#capacity);
    this.#visited[found.place] = 1;
    return found.number;
  }

  isVisited(path: ByteString): boolean {
    const found = this.#find(path);
    return found === undefined || this.#visited?.[found.place] === 1;
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

  /** What lower layers have of the name and below it. */
  remove(path: ByteString): void {
    const found = this.#find(path);
    if (found === undefined) return;
    const { place, number } = found;
    if (this.#stamps[place] !== this.#layer) {
      this.#renew(place);
      this.#numbers[place] = gone;
    } else if (number === implied || this.#isDirectory(number)) {
      if (number <= (this.#before[this.#layer] ?? 0)) this.#numbers[place] = implied;
      this.#sinces[place] = this.#layer;
      this.#forget();
    }
  }

  /** All that lower layers have below the directory. */
  clear(path: ByteString): void {
    const place = path === "/" ? undefined : this.#find(path)?.place;
    if (path === "/") this.#root.since = this.#layer;
    else if (place !== undefined) this.#sinces[place] = this.#layer;
    this.#forget();
  }

  /** A name that is there. */
  #find(path: ByteString): { place: number; number: number } | undefined {
    const within = this.#foundIn(directoryOf(path));
    const place = within === undefined ? undefined : this.#lookUp(within, nameOf(path));
    return place === undefined ? undefined : { place, number: this.#numberOf(place, within?.since ?? 0) };
  }

  /** What a lower layer said of a directory whose name alone is left is no more. */
  #numberOf(place: number, since: number): number {
    const number = this.#numbers[place] ?? gone;
    return number <= (this.#before[since] ?? 0) ? implied : number;
  }

  #foundIn(directory: ByteString): Below | undefined {
    if (this.#lastFound.path === directory) return this.#lastFound;
    let below: Below = this.#root;
    for (const name of directory.split("/")) {
      if (name === "") continue;
      const place = this.#lookUp(below, name);
      if (place === undefined) return undefined;
      below = this.#below(directory, place, below.since);
    }
    this.#lastFound = below;
    return below;
  }

  #below(path: ByteString, place: number, since: number): Below {
    return { path, scope: this.#scopes[place] ?? 0, since: Math.max(since, this.#sinces[place] ?? 0) };
  }

  #madeIn(directory: ByteString): Below {
    if (this.#lastMade.path === directory) return this.#lastMade;
    let below: Below = this.#root;
    for (const name of directory.split("/")) {
      if (name === "") continue;
      const place = this.#make(below, name);
      const number = this.#numberOf(place, below.since);
      if (number === gone || (number !== implied && !this.#isDirectory(number))) {
        this.#renew(place);
        this.#numbers[place] = implied;
      }
      below = this.#below(directory, place, below.since);
    }
    this.#lastMade = below;
    return below;
  }

  /** Whatever was below the name is no more. */
  #renew(place: number): void {
    this.#scopes[place] = this.#nextScope();
    this.#sinces[place] = 0;
    this.#forget();
  }

  #forget(): void {
    this.#lastMade = nowhere;
    this.#lastFound = nowhere;
  }

  #nextScope(): number {
    return ++this.#scopeCount;
  }

  #lookUp({ scope, since }: Below, name: ByteString): number | undefined {
    hashText(name, scope, this.#key);
    const place = this.#slot(this.#key[0] ?? 0, this.#key[1] ?? 0);
    const isThere = this.#scopes[place] !== 0 && this.#numbers[place] !== gone;
    return isThere && (this.#stamps[place] ?? 0) >= since ? place : undefined;
  }

  #make({ scope, since }: Below, name: ByteString): number {
    if (this.#used + 1 > this.#capacity * fullness) this.#grow();
    hashText(name, scope, this.#key);
    const [one = 0, two = 0] = this.#key;
    const place = this.#slot(one, two);
    const isNew = this.#scopes[place] === 0;
    if (isNew) {
      this.#used++;
      this.#keys[place * 2] = one;
      this.#keys[place * 2 + 1] = two;
      this.#scopes[place] = this.#nextScope();
    } else if ((this.#stamps[place] ?? 0) < since) this.#renew(place);
    if (isNew || (this.#stamps[place] ?? 0) < since) this.#numbers[place] = implied;
    this.#stamps[place] = this.#layer;
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
    const [stamps, sinces] = [this.#stamps, this.#sinces];
    this.#capacity *= 2;
    this.#keys = new Uint32Array(this.#capacity * 2);
    this.#scopes = new Uint32Array(this.#capacity);
    this.#numbers = new Uint32Array(this.#capacity);
    this.#stamps = new Uint16Array(this.#capacity);
    this.#sinces = new Uint16Array(this.#capacity);
    for (let old = 0; old < scopes.length; old++) {
      if (scopes[old] === 0) continue;
      const [one = 0, two = 0] = keys.subarray(old * 2, old * 2 + 2);
      const place = this.#slot(one, two);
      this.#keys[place * 2] = one;
      this.#keys[place * 2 + 1] = two;
      this.#scopes[place] = scopes[old] ?? 0;
      this.#numbers[place] = numbers[old] ?? 0;
      this.#stamps[place] = stamps[old] ?? 0;
      this.#sinces[place] = sinces[old] ?? 0;
    }
  }
}

export function directoryOf(path: ByteString): ByteString {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}
