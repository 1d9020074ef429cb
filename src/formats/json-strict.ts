// What JSON.parse lets pass and a document of ours may not have: the same key twice in an object, of which programs take either, and nesting
// without bounds. Pure.

const [quote, backslash] = [0x22, 0x5c];

/** What is wrong with a text that JSON.parse has read; undefined where nothing is. */
export function strictJsonProblem(text: string, maxDepth = 64): string | undefined {
  /** Keys of the open objects; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "{" || char === "[") {
      open.push(char === "{" ? new Set() : undefined);
      if (open.length > maxDepth) return `is nested deeper than ${maxDepth} levels`;
    } else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const end = stringEnd(text, at);
      const keys = open.at(-1);
      if (keys !== undefined && text[skipSpace(text, end)] === ":") {
        const raw = text.slice(at, end);
        const key = raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);
        if (keys.has(key)) return `has the key ${JSON.stringify(key.slice(0, 60))} twice`;
        keys.add(key);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** Index behind the closing quote. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === backslash) at++;
    else if (code === quote) return at + 1;
  }
  return text.length;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (/\s/.test(text[at] ?? "")) at++;
  return at;
}
