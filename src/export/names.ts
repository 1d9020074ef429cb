// Names that platforms take: a DNS label (RFC 1123), lower case, at most 63 characters. Pure.
import { TranshipError } from "../base/errors.ts";

const most = 63;

/** "/var/lib/mysql" -> "var-lib-mysql"; `otherwise` where nothing of it fits. */
export function nameOf(text: string, otherwise: string, length = most): string {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, length + 1)
    .replace(/^-+/, "")
    .slice(0, length)
    .replace(/-+$/, "");
  return label === "" ? otherwise : label;
}

/** E_USAGE where `text` is none. */
export function checkName(text: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new TranshipError("E_USAGE", `--name ${JSON.stringify(text)} is no name that platforms take`, {
    hint: "use lower case letters, digits and -, at most 63",
  });
}

/** Makes each name once: the second "data" is "data-2". */
export class NameSet {
  readonly #taken = new Set<string>();
  readonly #length: number;

  constructor(length = most) {
    this.#length = length;
  }

  add(text: string, otherwise: string): string {
    const base = nameOf(text, otherwise, this.#length);
    let name = base;
    for (let count = 2; this.#taken.has(name); count++) {
      const end = `-${count}`;
      name = `${base.slice(0, this.#length - end.length).replace(/-+$/, "")}${end}`;
    }
    this.#taken.add(name);
    return name;
  }
}
