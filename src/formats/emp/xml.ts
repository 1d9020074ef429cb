// XML without loss: a tree of elements with their places in the text, which itself stays what it is. Comments, white space, the order and
// the quotes of attributes, line ends and what no reader knows survive, as a change is a splice of the text (xml-edit.ts).
//
// Well-formed XML 1.0 without a document type: a DTD is refused, and with it every entity but the five and references to characters.
import { TranshipError } from "../../base/errors.ts";
import { decodeReferences, isName, isXmlText } from "./xml-text.ts";
import {
  elementsOf,
  placeOf,
  type XmlAttribute,
  type XmlDocument,
  type XmlElement,
  type XmlNode,
  type XmlOptions,
  type XmlOther,
} from "./xml-tree.ts";

const maxDepth = 100;
const maxNodes = 500_000;
const maxAttributes = 256;

/** E_EMP_INVALID with line and column, E_LIMIT. */
export function parseXml(source: string, options: XmlOptions): XmlDocument {
  return new Parser(source, options).parse();
}

class Parser {
  readonly #source: string;
  readonly #options: XmlOptions;
  readonly #open: XmlElement[];
  #at = 0;
  #nodes = 0;

  constructor(source: string, options: XmlOptions) {
    this.#source = source;
    this.#options = options;
    const length = source.length;
    const place = { start: 0, end: length, contentStart: 0, contentEnd: length };
    this.#open = [{ kind: "element", name: "", attributes: [], children: [], empty: false, ...place }];
  }

  parse(): XmlDocument {
    const source = this.#source;
    if (source.startsWith("\ufeff")) this.#at = 1;
    while (this.#at < source.length) {
      const at = this.#at;
      if (source[at] !== "<") this.#text();
      else if (source.startsWith("<!--", at)) this.#comment();
      else if (source.startsWith("<![CDATA[", at)) this.#cdata();
      else if (source.startsWith("<!", at))
        throw this.#refuse(at, "has a document type, which is refused: it can bring in files and entities");
      else if (source.startsWith("<?", at)) this.#instruction();
      else if (source[at + 1] === "/") this.#closeTag();
      else this.#openTag();
    }
    const open = this.#open.at(-1);
    if (open !== undefined && this.#open.length > 1)
      throw this.#refuse(open.start, `has <${open.name}>, which is never closed`);
    const [top] = this.#open;
    if (top === undefined) throw this.#refuse(0, "is empty");
    const count = elementsOf(top).length;
    if (this.#options.fragment !== true && count !== 1)
      throw this.#refuse(
        source.length,
        count === 0 ? "holds no element" : `holds ${count} elements at its top`,
      );
    return { source, top };
  }

  #text(): void {
    const start = this.#at;
    const next = this.#source.indexOf("<", start);
    const end = next < 0 ? this.#source.length : next;
    const raw = this.#source.slice(start, end);
    this.#at = end;
    if (raw.includes("]]>")) throw this.#refuse(start + raw.indexOf("]]>"), "has ]]> outside of a section");
    const value = this.#decode(raw, start);
    if (this.#open.length === 1 && raw.trim() !== "")
      throw this.#refuse(start + raw.search(/\S/), "has text outside of any element");
    this.#add({ kind: "text", value, start, end });
  }

  #comment(): void {
    const start = this.#at;
    const close = this.#source.indexOf("--", start + 4);
    if (close < 0) throw this.#refuse(start, "has a comment that does not end");
    if (this.#source[close + 2] !== ">") throw this.#refuse(close, "has -- inside of a comment");
    this.#rest("comment", start, close + 3);
  }

  #instruction(): void {
    const start = this.#at;
    const close = this.#source.indexOf("?>", start);
    if (close < 0) throw this.#refuse(start, "has an instruction that does not end");
    const declaration = /^<\?xml[\s?]/i.test(this.#source.slice(start, start + 6));
    if (declaration && start > (this.#source.startsWith("\ufeff") ? 1 : 0))
      throw this.#refuse(start, "has its <?xml ?> behind its beginning");
    this.#rest("instruction", start, close + 2);
  }

  #rest(kind: XmlOther["kind"], start: number, end: number): void {
    this.#check(this.#source.slice(start, end), start);
    this.#add({ kind, start, end });
    this.#at = end;
  }

  #cdata(): void {
    const start = this.#at;
    const close = this.#source.indexOf("]]>", start);
    if (close < 0) throw this.#refuse(start, "has a section that does not end");
    if (this.#open.length === 1) throw this.#refuse(start, "has text outside of any element");
    const raw = this.#source.slice(start + 9, close);
    this.#check(raw, start + 9);
    this.#add({ kind: "cdata", value: raw.replace(/\r\n?/g, "\n"), start, end: close + 3 });
    this.#at = close + 3;
  }

  #openTag(): void {
    const start = this.#at;
    const name = this.#name(start + 1);
    this.#at = start + 1 + name.length;
    const attributes: XmlAttribute[] = [];
    for (;;) {
      const spaced = this.#space();
      const at = this.#at;
      const closed = this.#source.startsWith("/>", at);
      if (closed || this.#source[at] === ">") {
        this.#at = at + (closed ? 2 : 1);
        const place = { start, end: this.#at, contentStart: this.#at, contentEnd: this.#at };
        const element: XmlElement = {
          kind: "element",
          name,
          attributes,
          children: [],
          empty: closed,
          ...place,
        };
        this.#add(element);
        if (!closed) this.#open.push(element);
        if (this.#open.length > maxDepth + 1)
          throw new TranshipError(
            "E_LIMIT",
            `${this.#where(start)} is nested deeper than ${maxDepth} levels`,
          );
        return;
      }
      if (at >= this.#source.length) throw this.#refuse(start, `has <${name}, a tag that does not end`);
      if (!spaced) throw this.#refuse(at, "has no space before an attribute");
      const attribute = this.#attribute();
      if (attributes.some((one) => one.name === attribute.name))
        throw this.#refuse(at, `has the attribute ${attribute.name} twice`);
      attributes.push(attribute);
      if (attributes.length > maxAttributes)
        throw new TranshipError("E_LIMIT", `${this.#where(start)} has more than ${maxAttributes} attributes`);
      if (++this.#nodes > maxNodes) throw this.#tooMany();
    }
  }

  #attribute(): XmlAttribute {
    const start = this.#at;
    const name = this.#name(start);
    this.#at = start + name.length;
    this.#space();
    if (this.#source[this.#at] !== "=")
      throw this.#refuse(start, `has the attribute ${name} without a value`);
    this.#at++;
    this.#space();
    const quote = this.#source[this.#at];
    const valueStart = this.#at + 1;
    if (quote !== '"' && quote !== "'")
      throw this.#refuse(this.#at, `has no quote before the value of ${name}`);
    const close = this.#source.indexOf(quote, valueStart);
    if (close < 0) throw this.#refuse(start, `has the attribute ${name} whose quote is not closed`);
    const raw = this.#source.slice(valueStart, close);
    if (raw.includes("<"))
      throw this.#refuse(valueStart + raw.indexOf("<"), "has < in the value of an attribute");
    const value = this.#decode(raw.replace(/\r\n|[\r\n\t]/g, " "), valueStart);
    this.#at = close + 1;
    return { name, value, start, end: close + 1, valueStart };
  }

  #closeTag(): void {
    const start = this.#at;
    const name = this.#name(start + 2);
    this.#at = start + 2 + name.length;
    this.#space();
    const open = this.#open.length > 1 ? this.#open.pop() : undefined;
    if (open === undefined || open.name !== name)
      throw this.#refuse(
        start,
        `has </${name}> where ${open === undefined ? "nothing" : `<${open.name}>`} is open`,
      );
    if (this.#source[this.#at] !== ">") throw this.#refuse(start, `has </${name}, a tag that does not end`);
    this.#at++;
    open.contentEnd = start;
    open.end = this.#at;
  }

  #name(at: number): string {
    const name = /^[^\s/>=<"'&?!]{1,200}/u.exec(this.#source.slice(at, at + 201))?.[0] ?? "";
    if (!isName(name)) throw this.#refuse(at, "has no name where one should be");
    return name;
  }

  #space(): boolean {
    const from = this.#at;
    while (" \t\r\n".includes(this.#source[this.#at] ?? "x")) this.#at++;
    return this.#at > from;
  }

  #decode(raw: string, at: number): string {
    this.#check(raw, at);
    const found = decodeReferences(raw.replace(/\r\n?/g, "\n"));
    if (typeof found === "string") return found;
    // Line ends are one character shorter in what was decoded: its own text is looked for.
    const place = at + Math.max(0, raw.indexOf(found.reference));
    throw this.#refuse(place, `has ${found.reference.slice(0, 40)}, which is no reference that is allowed`);
  }

  #check(raw: string, at: number): void {
    const wrong = isXmlText(raw);
    if (wrong !== undefined) throw this.#refuse(at + wrong, "holds a character that XML does not allow");
  }

  #add(node: XmlNode): void {
    if (++this.#nodes > maxNodes) throw this.#tooMany();
    this.#open.at(-1)?.children.push(node);
  }

  #tooMany(): TranshipError {
    return new TranshipError(
      "E_LIMIT",
      `${this.#options.name} holds more than ${maxNodes} elements and texts`,
    );
  }

  #where(at: number): string {
    const { line, column } = placeOf(this.#source, at);
    return `${this.#options.name}: line ${line}, column ${column}`;
  }

  #refuse(at: number, what: string): TranshipError {
    const { line, column } = placeOf(this.#source, at);
    return new TranshipError("E_EMP_INVALID", `${this.#where(at)}: ${what}`, {
      hint: "correct the file there; nothing was taken from the folder",
      details: { file: this.#options.name, line, column },
    });
  }
}
