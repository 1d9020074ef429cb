// The tree that xml.ts reads: elements, texts and the rest, each with its place in the text.

export interface XmlAttribute {
  name: string;
  value: string;
  /** From the first letter of the name to behind the closing quote. */
  start: number;
  end: number;
  /** Of what stands between the quotes. */
  valueStart: number;
}

export interface XmlElement {
  kind: "element";
  /** As written, with its prefix. */
  name: string;
  attributes: XmlAttribute[];
  children: XmlNode[];
  /** Of the whole element. */
  start: number;
  end: number;
  /** Between the tags; both where the tag ends in the form <a/>. */
  contentStart: number;
  contentEnd: number;
  /** Written as <a/>. */
  empty: boolean;
}

export interface XmlText {
  /** Of a cdata section the value is as written. */
  kind: "text" | "cdata";
  value: string;
  start: number;
  end: number;
}

export interface XmlOther {
  kind: "comment" | "instruction";
  start: number;
  end: number;
}

export type XmlNode = XmlElement | XmlText | XmlOther;

export interface XmlDocument {
  source: string;
  /** Stands for the whole text; its children are what stands at the top. Its name is empty. */
  top: XmlElement;
}

export interface XmlOptions {
  /** Called so in errors. */
  name: string;
  /** Several elements at the top, or none, are taken too: of some files the one at the root is not known. */
  fragment?: boolean;
}

/** The one element at the top of a document that is no fragment; of a fragment, the only one or the top itself. */
export function rootOf({ top }: XmlDocument): XmlElement {
  const elements = elementsOf(top);
  const [only] = elements;
  return only !== undefined && elements.length === 1 ? only : top;
}

export function elementsOf(element: XmlElement): XmlElement[] {
  return element.children.filter((node) => node.kind === "element");
}

/** Text of an element: all that stands in it beside comments and elements. Lines end in \n. */
export function textOf(element: XmlElement): string {
  let text = "";
  for (const node of element.children) if (node.kind === "text" || node.kind === "cdata") text += node.value;
  return text;
}

/** 1-based. */
export function placeOf(source: string, at: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let next = source.indexOf("\n"); next >= 0 && next < at; next = source.indexOf("\n", start)) {
    line++;
    start = next + 1;
  }
  return { line, column: at - start + 1 };
}
