// What stands where in a file of an EMP folder: one table for each kind of element, by which a file is read (here) and changed
// (shape-write.ts). Values stay texts as written: what the tools of EMP make of them is not ours to guess.

import { localName } from "./xml-text.ts";
import { elementsOf, textOf, type XmlElement } from "./xml-tree.ts";

/**
 * A place below an element: "LogOnAs/Username", "WaitCondition/@TimeoutInSeconds", "." for its own text. Names are compared without
 * their prefix and without regard to case. Of several places the first that is there counts; new content goes to the first.
 */
export interface TextField {
  readonly kind: "text";
  readonly paths: readonly (readonly string[])[];
  /** White space around the value is layout. */
  readonly trim: boolean;
}

/** The name of the element itself, one of these. */
export interface NameField {
  readonly kind: "name";
  readonly names: readonly string[];
}

export interface ListField<F extends Fields = Fields> {
  readonly kind: "list";
  readonly paths: readonly (readonly string[])[];
  readonly fields: F;
  /** Field by which an element is known again when others of its fields change. */
  readonly key: string;
}

export type Field = TextField | NameField | ListField;
export interface Fields {
  readonly [name: string]: Field;
}

/** Absent: there is no such element or attribute; "": it is there and empty. */
export type ValueOf<F extends Fields> = {
  [K in keyof F as F[K] extends ListField ? never : K]?: string | undefined;
} & {
  [K in keyof F as F[K] extends ListField ? K : never]: F[K] extends ListField<infer I>
    ? ValueOf<I>[]
    : never;
};

/** What every value of a shape is, for who walks it without knowing the shape. */
export interface Plain {
  [name: string]: string | undefined | Plain[];
}

export function token(...paths: string[]): TextField {
  return { kind: "text", paths: paths.map((path) => path.split("/")), trim: true };
}

/** Text in which blanks count. */
export function words(...paths: string[]): TextField {
  return { kind: "text", paths: paths.map((path) => path.split("/")), trim: false };
}

export function ownName(...names: string[]): NameField {
  return { kind: "name", names };
}

export function list<F extends Fields>(
  paths: string | readonly string[],
  key: string,
  fields: F,
): ListField<F> {
  const all = typeof paths === "string" ? [paths] : paths;
  return { kind: "list", paths: all.map((path) => path.split("/")), fields, key };
}

export function readPlain(element: XmlElement, fields: Fields): Plain {
  const value: Plain = {};
  for (const [name, field] of Object.entries(fields)) {
    if (field.kind === "list")
      value[name] = listed(element, field).map((one) => readPlain(one, field.fields));
    else {
      const text = field.kind === "name" ? nameIn(element, field) : textAt(element, field);
      if (text !== undefined) value[name] = text;
    }
  }
  return value;
}

export function nameIn(element: XmlElement, field: NameField): string | undefined {
  return field.names.find((name) => sameName(name, element.name));
}

/** Elements of a list from all its places, in the order of the text. */
export function listed(element: XmlElement, field: ListField): XmlElement[] {
  const [first = []] = field.paths;
  if (field.paths.length === 1) return follow(element, first);
  const found = new Set(field.paths.flatMap((path) => follow(element, path)));
  return [...found].sort((a, b) => a.start - b.start);
}

export function sameName(a: string, b: string): boolean {
  return localName(a).toLowerCase() === localName(b).toLowerCase();
}

/** All elements that the steps lead to. */
export function follow(element: XmlElement, steps: readonly string[]): XmlElement[] {
  let at = [element];
  for (const step of steps) {
    if (step === ".") continue;
    at = at.flatMap((one) => elementsOf(one).filter((child) => sameName(child.name, step)));
  }
  return at;
}

export function attributeNamed(element: XmlElement, name: string) {
  return element.attributes.find((one) => sameName(one.name, name));
}

/** Where a text field stands: the element, and the attribute of it where the path ends in one. */
export interface Found {
  element: XmlElement;
  attribute: string | undefined;
}

export function findText(element: XmlElement, field: TextField): Found | undefined {
  for (const path of field.paths) {
    const last = path.at(-1) ?? "";
    const attribute = last.startsWith("@") ? last.slice(1) : undefined;
    const [at] = follow(element, attribute === undefined ? path : path.slice(0, -1));
    if (at === undefined) continue;
    if (attribute === undefined || attributeNamed(at, attribute) !== undefined)
      return { element: at, attribute };
  }
  return undefined;
}

export function textAt(element: XmlElement, field: TextField): string | undefined {
  const found = findText(element, field);
  if (found === undefined) return undefined;
  const { attribute } = found;
  const text =
    attribute === undefined ? textOf(found.element) : (attributeNamed(found.element, attribute)?.value ?? "");
  return field.trim ? text.trim() : text;
}
