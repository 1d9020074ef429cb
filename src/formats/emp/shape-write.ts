// A value back into the file that it was read from: what is the same is not touched, what has changed is spliced in.

import { matchLists } from "./list-match.ts";
import {
  attributeNamed,
  type Field,
  type Fields,
  findText,
  follow,
  type ListField,
  listed,
  nameIn,
  type Plain,
  readPlain,
  sameName,
  type TextField,
  textAt,
} from "./shape.ts";
import { parseXml } from "./xml.ts";
import { type NewElement, XmlEditor } from "./xml-edit.ts";
import { elementsOf, rootOf, type XmlDocument, type XmlElement } from "./xml-tree.ts";

/** The text of a document with this value. */
export function writeShape(document: XmlDocument, fields: Fields, value: Plain): string {
  const writer = new Writer(document);
  writer.update(rootOf(document), fields, value);
  return writer.finish();
}

/** A new document, as the tools of EMP lay it out. */
export function printShape(root: string, fields: Fields, value: Plain): string {
  const empty = `<?xml version="1.0" encoding="utf-8"?>\r\n<${root}>\r\n</${root}>\r\n`;
  return writeShape(parseXml(empty, { name: root }), fields, value);
}

/** Whether two values of a shape say the same; what is undefined is absent. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((one, i) => sameValue(one, b[i]));
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => sameValue(left[key], right[key]));
}

class Writer {
  readonly #editor: XmlEditor;
  /** New children of elements that are there, collected so that what belongs into one container comes into one. */
  readonly #added = new Map<XmlElement, { fields: Fields; depth: number; children: NewElement[] }>();
  readonly #parents = new Map<XmlElement, XmlElement>();

  constructor(document: XmlDocument) {
    this.#editor = new XmlEditor(document);
    this.#know(document.top);
  }

  #know(top: XmlElement): void {
    const todo = [top];
    for (let parent = todo.pop(); parent !== undefined; parent = todo.pop())
      for (const child of elementsOf(parent)) {
        this.#parents.set(child, parent);
        todo.push(child);
      }
  }

  finish(): string {
    for (const [parent, { fields, depth, children }] of this.#added)
      this.#place(parent, fields, depth, children);
    return this.#editor.apply();
  }

  update(element: XmlElement, fields: Fields, value: Plain): void {
    for (const [name, field] of Object.entries(fields)) {
      const wanted = value[name];
      if (field.kind === "list") this.#list(element, fields, field, (wanted as Plain[] | undefined) ?? []);
      else if (field.kind === "name") {
        const now = nameIn(element, field);
        if (typeof wanted === "string" && wanted !== now) this.#editor.rename(element, wanted);
      } else this.#text(element, { fields, value, field }, wanted as string | undefined);
    }
  }

  #text(
    element: XmlElement,
    { fields, value, field }: { fields: Fields; value: Plain; field: TextField },
    wanted: string | undefined,
  ): void {
    if (textAt(element, field) === wanted) return;
    const found = findText(element, field);
    if (wanted === undefined) {
      if (found !== undefined) this.#drop(found, keepsElement(field, fields, value), field.trim);
      return;
    }
    const [path = []] = field.paths;
    if (found === undefined) this.#add(element, fields, path, wanted);
    else if (found.attribute === undefined) this.#editor.setText(found.element, wanted, field.trim);
    else {
      const attribute = attributeNamed(found.element, found.attribute);
      this.#editor.setAttribute(found.element, attribute, found.attribute, wanted);
    }
  }

  #drop(
    { element, attribute: name }: { element: XmlElement; attribute: string | undefined },
    keep: boolean,
    trim: boolean,
  ): void {
    const attribute = name === undefined ? undefined : attributeNamed(element, name);
    const parent = this.#parents.get(element);
    if (attribute !== undefined) this.#editor.removeAttribute(element, attribute);
    else if (keep || parent === undefined) this.#editor.setText(element, "", trim);
    else this.#editor.remove(parent, element);
  }

  /** Follows the path as far as there are elements, and notes what is to come below. */
  #add(
    element: XmlElement,
    fields: Fields,
    path: readonly string[],
    value: string | readonly NewElement[],
  ): void {
    let at = element;
    let depth = 0;
    const last = typeof value === "string" ? path.length : path.length - 1;
    for (; depth < last; depth++) {
      const [next] = path[depth]?.startsWith("@") === true ? [] : follow(at, [path[depth] ?? ""]);
      if (next === undefined) break;
      at = next;
    }
    const rest = path.slice(depth, last);
    const [step] = rest;
    if (step?.startsWith("@") === true && typeof value === "string") {
      this.#editor.setAttribute(at, undefined, step.slice(1), value);
      return;
    }
    if (step === undefined && typeof value === "string") {
      this.#editor.setText(at, value, false);
      return;
    }
    const below = this.#added.get(at) ?? { fields, depth, children: [] };
    this.#added.set(at, below);
    if (step === undefined) below.children.push(...(value as readonly NewElement[]));
    else into(below.children, rest, value);
  }

  #list(element: XmlElement, fields: Fields, field: ListField, values: readonly Plain[]): void {
    const elements = listed(element, field);
    const old = elements.map((one) => readPlain(one, field.fields));
    const known = (a: Plain, b: Plain): boolean => a[field.key] === b[field.key];
    const [path = []] = field.paths;
    if (elements.length === 0) {
      if (values.length > 0)
        this.#add(
          element,
          fields,
          path,
          values.map((one) => built(one, field)),
        );
      return;
    }
    let last: XmlElement | undefined;
    let fresh: NewElement[] = [];
    const flush = (): void => {
      const place = last ?? elements[0];
      const parent = place === undefined ? undefined : this.#parents.get(place);
      if (parent !== undefined && fresh.length > 0)
        this.#editor.insert(parent, last ?? this.#previous(parent, elements[0]), fresh);
      fresh = [];
    };
    for (const match of matchLists(old, values, sameValue, known)) {
      const existing = match.old === undefined ? undefined : elements[match.old];
      if (existing === undefined) {
        if (match.value !== undefined) fresh.push(built(match.value, field));
        continue;
      }
      flush();
      const parent = this.#parents.get(existing);
      if (match.value !== undefined) this.update(existing, field.fields, match.value);
      else if (parent !== undefined) this.#editor.remove(parent, existing);
      last = existing;
    }
    flush();
  }

  #previous(parent: XmlElement, element: XmlElement | undefined): XmlElement | undefined {
    const all = elementsOf(parent);
    return element === undefined ? undefined : all[all.indexOf(element) - 1];
  }

  /** New children stand behind those that come before them in the table. */
  #place(parent: XmlElement, fields: Fields, depth: number, children: readonly NewElement[]): void {
    const order = namesAt(fields, depth);
    const rank = (name: string): number => order.findIndex((one) => sameName(one, name));
    const byPlace = new Map<XmlElement | undefined, NewElement[]>();
    for (const child of [...children].sort((a, b) => rank(a.name) - rank(b.name))) {
      const after = elementsOf(parent).findLast(
        (one) => rank(one.name) >= 0 && rank(one.name) <= rank(child.name),
      );
      byPlace.set(after, [...(byPlace.get(after) ?? []), child]);
    }
    for (const [after, some] of byPlace) this.#editor.insert(parent, after, some);
  }
}

/** Whether the element of a text that goes still carries an attribute or text of another field. */
function keepsElement(field: TextField, fields: Fields, value: Plain): boolean {
  return Object.entries(fields).some(
    ([name, other]) =>
      other !== field &&
      other.kind === "text" &&
      value[name] !== undefined &&
      other.paths.some((path) => field.paths.some((own) => own.every((step, i) => path[i] === step))),
  );
}

function namesAt(fields: Fields, depth: number): string[] {
  return Object.values(fields).flatMap((field) =>
    field.kind === "name" ? [] : field.paths.flatMap((path) => path[depth] ?? []),
  );
}

/** Puts a value below new elements, making the containers of its path once. */
function into(children: NewElement[], path: readonly string[], value: string | readonly NewElement[]): void {
  let here = children;
  let at: NewElement | undefined;
  for (const step of path) {
    if (step.startsWith("@")) {
      if (typeof value === "string") at?.attributes.push([step.slice(1), value]);
      return;
    }
    let next = here.find((one) => one.name === step);
    if (next === undefined) {
      next = blank(step);
      here.push(next);
    }
    at = next;
    here = next.children;
  }
  if (typeof value !== "string") here.push(...value);
  else if (at !== undefined) at.text = value;
}

function blank(name: string): NewElement {
  return { name, attributes: [], text: undefined, children: [] };
}

function built(value: Plain, field: ListField): NewElement {
  const names = Object.entries(field.fields).find(([, one]) => one.kind === "name");
  const own = names === undefined ? undefined : value[names[0]];
  const element = blank(typeof own === "string" ? own : (field.paths[0]?.at(-1) ?? ""));
  for (const [name, one] of Object.entries(field.fields)) fill(element, one, value[name]);
  return element;
}

function fill(element: NewElement, field: Field, value: Plain[string]): void {
  if (field.kind === "name" || value === undefined) return;
  const [path = []] = field.paths;
  if (field.kind === "list") {
    const children = (value as Plain[]).map((one) => built(one, field));
    if (children.length > 0) into(element.children, path.slice(0, -1), children);
    return;
  }
  const [first = ""] = path;
  if (first === ".") element.text = value as string;
  else if (first.startsWith("@")) element.attributes.push([first.slice(1), value as string]);
  else into(element.children, path, value as string);
}
