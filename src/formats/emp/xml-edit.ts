// Changes of an XML text as splices: what is not spliced stays as it was written.

import { escapeAttribute, escapeText } from "./xml-text.ts";
import {
  elementsOf,
  type XmlAttribute,
  type XmlDocument,
  type XmlElement,
  type XmlNode,
  type XmlText,
} from "./xml-tree.ts";

/** An element that is not there yet. */
export interface NewElement {
  name: string;
  attributes: [name: string, value: string][];
  text: string | undefined;
  children: NewElement[];
}

interface Splice {
  start: number;
  end: number;
  text: string;
}

export class XmlEditor {
  readonly #document: XmlDocument;
  readonly #eol: string;
  readonly #splices: Splice[] = [];
  /** Elements written as <a/> that get content: both tags are written once. */
  readonly #opened = new Map<XmlElement, string>();

  constructor(document: XmlDocument) {
    this.#document = document;
    this.#eol = document.source.includes("\r\n") ? "\r\n" : "\n";
  }

  /** The changed text; the document stays as it was. */
  apply(): string {
    const { source } = this.#document;
    for (const [{ name, end }, text] of this.#opened)
      this.#splices.push({ start: end - 2, end, text: `>${text}</${name}>` });
    const ordered = this.#splices
      .map((splice, order) => ({ ...splice, order }))
      .sort((a, b) => a.start - b.start || a.end - b.end || a.order - b.order);
    let result = "";
    let at = 0;
    for (const { start, end, text } of ordered) {
      result += source.slice(at, start) + text;
      at = end;
    }
    return result + source.slice(at);
  }

  setAttribute(element: XmlElement, attribute: XmlAttribute | undefined, name: string, value: string): void {
    if (attribute !== undefined) {
      const { valueStart, end } = attribute;
      const quote = this.#document.source[end - 1] ?? '"';
      this.#splice(valueStart, end - 1, escapeAttribute(value, quote));
      return;
    }
    const at = element.attributes.at(-1)?.end ?? element.start + 1 + element.name.length;
    this.#splice(at, at, ` ${name}="${escapeAttribute(value, '"')}"`);
  }

  removeAttribute(element: XmlElement, attribute: XmlAttribute): void {
    const index = element.attributes.indexOf(attribute);
    const before = element.attributes[index - 1]?.end ?? element.start + 1 + element.name.length;
    this.#splice(before, attribute.end, "");
  }

  /** Blanks around a trimmed value are kept, comments too. */
  setText(element: XmlElement, value: string, trim: boolean): void {
    const text = escapeText(value, this.#eol);
    if (element.empty) {
      if (text !== "") this.#opened.set(element, text);
      return;
    }
    const nodes = element.children.filter(isText);
    const target = nodes.find((node) => node.value.trim() !== "") ?? nodes[0];
    if (target === undefined) this.#splice(element.contentStart, element.contentStart, text);
    for (const node of nodes) this.#replaceText(node, node === target ? text : "", trim);
  }

  #replaceText(node: XmlText, text: string, trim: boolean): void {
    const raw = this.#document.source.slice(node.start, node.end);
    if (!trim || node.kind !== "text") {
      this.#splice(node.start, node.end, text);
      return;
    }
    const blank = raw.trim() === "";
    const start = node.start + (blank ? 0 : raw.length - raw.trimStart().length);
    const end = blank ? start : node.start + raw.trimEnd().length;
    this.#splice(start, end, text);
  }

  rename(element: XmlElement, name: string): void {
    const at = element.start + 1;
    this.#splice(at, at + element.name.length, name);
    if (element.empty) return;
    this.#splice(element.contentEnd + 2, element.contentEnd + 2 + element.name.length, name);
  }

  /** With the white space before it. */
  remove(parent: XmlElement, element: XmlElement): void {
    this.#splice(this.#before(parent, element), element.end, "");
  }

  /** Behind `after`, a child of the parent, or before all others. */
  insert(parent: XmlElement, after: XmlElement | undefined, elements: readonly NewElement[]): void {
    const layout = this.#layout(parent);
    const text = elements
      .map((one) => layout.before + print(one, layout.indent, layout.step, this.#eol))
      .join("");
    if (parent.empty) {
      this.#opened.set(parent, (this.#opened.get(parent) ?? "") + text + layout.behind);
      return;
    }
    const first = elementsOf(parent)[0];
    const alone = first === undefined && !this.#broken(parent);
    const place = after?.end ?? (first === undefined ? parent.contentStart : this.#before(parent, first));
    this.#splice(place, place, text + (alone ? layout.behind : ""));
  }

  /** Where the white space before a child begins. */
  #before(parent: XmlElement, element: XmlElement): number {
    const index = parent.children.indexOf(element);
    const before = parent.children[index - 1];
    const blank = before?.kind === "text" && before.value.trim() === "";
    return blank ? before.start : element.start;
  }

  #broken(parent: XmlElement): boolean {
    return this.#document.source.slice(parent.contentStart, parent.contentEnd).includes("\n");
  }

  /** What stands before a child of this element, and before its own closing tag. */
  #layout(parent: XmlElement): { before: string; indent: string; step: string; behind: string } {
    const own = this.#indentOf(parent);
    const child = elementsOf(parent)
      .map((one) => this.#indentOf(one))
      .find((indent) => indent !== undefined);
    const inline = own === undefined || (elementsOf(parent).length > 0 && child === undefined);
    if (inline && parent.name !== "") return { before: "", indent: "", step: "", behind: "" };
    const outer = own ?? "";
    const indent = child ?? (parent.name === "" ? "" : `${outer}  `);
    const step = indent.startsWith(outer) && indent.length > outer.length ? indent.slice(outer.length) : "  ";
    return { before: this.#eol + indent, indent, step, behind: this.#eol + outer };
  }

  /** The blanks at the beginning of the line that the element begins; undefined where something else stands on that line. */
  #indentOf(element: XmlElement): string | undefined {
    const { source } = this.#document;
    const line = source.lastIndexOf("\n", element.start - 1) + 1;
    const before = source.slice(line, element.start).replace(/^\ufeff/, "");
    return before.trim() === "" ? before : undefined;
  }

  #splice(start: number, end: number, text: string): void {
    if (start !== end || text !== "") this.#splices.push({ start, end, text });
  }
}

function isText(node: XmlNode): node is XmlText {
  return node.kind === "text" || node.kind === "cdata";
}

function print(element: NewElement, indent: string, step: string, eol: string): string {
  const attributes = element.attributes
    .map(([name, value]) => ` ${name}="${escapeAttribute(value, '"')}"`)
    .join("");
  const open = `<${element.name}${attributes}`;
  if (element.children.length === 0) {
    const text = escapeText(element.text ?? "", eol);
    return text === "" ? `${open} />` : `${open}>${text}</${element.name}>`;
  }
  const inner = indent + step;
  const between = step === "" ? "" : eol;
  const children = element.children.map((one) => between + inner + print(one, inner, step, eol)).join("");
  return `${open}>${children}${between}${indent}</${element.name}>`;
}
