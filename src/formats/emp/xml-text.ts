// Characters, names and references of XML 1.0 (fifth edition, sections 2.2, 2.3, 4.1 and 4.6).

const named: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** The text with its references resolved, or the first that is none of the five and no character. */
export function decodeReferences(raw: string): string | { reference: string } {
  if (!raw.includes("&")) return raw;
  let text = "";
  for (let at = 0; ; ) {
    const next = raw.indexOf("&", at);
    if (next < 0) return text + raw.slice(at);
    const reference = /^&(?:#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))|([A-Za-z]{2,4}));/.exec(
      raw.slice(next, next + 12),
    );
    const char = reference === null ? undefined : meant(reference);
    if (reference === null || char === undefined)
      return { reference: /^&[^\s;<&]{0,40};?/.exec(raw.slice(next))?.[0] ?? "&" };
    text += raw.slice(at, next) + char;
    at = next + reference[0].length;
  }
}

function meant([, hex, decimal, name]: RegExpExecArray): string | undefined {
  if (name !== undefined) return Object.hasOwn(named, name) ? named[name] : undefined;
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  if (code > 0x10ffff) return undefined;
  const char = String.fromCodePoint(code);
  return isXmlText(char) === undefined ? char : undefined;
}

/** Index of the first character that no XML text may have; undefined where there is none. */
export function isXmlText(text: string): number | undefined {
  const at = text.search(
    /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/,
  );
  return at < 0 ? undefined : at;
}

/** Start of a name, and what else may follow, as ranges of code points. */
const nameStart =
  ":A-Z_a-z\\xc0-\\xd6\\xd8-\\xf6\\xf8-\\u02ff\\u0370-\\u037d\\u037f-\\u1fff\\u200c-\\u200d\\u2070-\\u218f\\u2c00-\\u2fef\\u3001-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufffd\\u{10000}-\\u{effff}";
const namePattern = new RegExp(
  `^[${nameStart}][-.0-9\\xb7\\u0300-\\u036f\\u203f-\\u2040${nameStart}]*$`,
  "u",
);

export function isName(text: string): boolean {
  return namePattern.test(text);
}

/** A name without its prefix. */
export function localName(name: string): string {
  return name.slice(name.lastIndexOf(":") + 1);
}

/** As content of an element. `eol`: what a line of this document ends in. */
export function escapeText(value: string, eol: string): string {
  return value.replace(/[&<>\r]/g, (char) => references[char] ?? char).replace(/\n/g, eol);
}

/** As value of an attribute in these quotes. */
export function escapeAttribute(value: string, quote: string): string {
  return value.replace(/[&<>\t\r\n"']/g, (char) => {
    if ((char === '"' || char === "'") && char !== quote) return char;
    return references[char] ?? char;
  });
}

const references: Record<string, string> = {
  "&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;", "\n": "&#xA;", "\t": "&#x9;", '"': "&quot;", "'": "&apos;",
}; // biome-ignore format: a table
