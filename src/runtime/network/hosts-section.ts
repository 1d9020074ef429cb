// /etc/hosts of an instance, and the part of it that is kept current while it runs. Pure.
//
// That part, between two marks, names the instances of its networks; it is replaced where something changes there, and what the instance
// or its package wrote elsewhere stays. But for one thing: glibc gives a program every address that any line has for a name, so that a line
// of the package that names an instance otherwise is set aside as a comment as long as there is such an instance.

/** A line of the part. */
export interface NamedAddress {
  readonly address: string;
  readonly names: readonly string[];
}

const begin = "# networks of this instance, kept current by Tranship";
const end = "# end";
const aside = "#aside ";

/** `text`: the file as it is, with or without such a part. */
export function withSection(text: string, entries: readonly NamedAddress[]): string {
  if (entries.length === 0 && !text.includes(begin)) return text;
  const lines = withoutSection(text.split("\n")).map((line) =>
    line.startsWith(aside) ? line.slice(aside.length) : line,
  );
  while (lines.at(-1) === "") lines.pop();
  const known = new Set(entries.flatMap(({ names }) => names.map((name) => name.toLowerCase())));
  const kept = lines.map((line) => (names(line).some((name) => known.has(name)) ? `${aside}${line}` : line));
  if (entries.length === 0) return `${kept.join("\n")}\n`;
  const section = entries.map((entry) => `${entry.address}\t${entry.names.join(" ")}`);
  // Behind the lines of localhost, before those of the package: some programs take the first that fits.
  const at = kept.findLastIndex((line) => /^(127\.0\.0\.1|::1|ff02::[12])\s/.test(line)) + 1;
  return `${[...kept.slice(0, at), begin, ...section, end, ...kept.slice(at)].join("\n")}\n`;
}

function withoutSection(lines: readonly string[]): string[] {
  const from = lines.indexOf(begin);
  const to = lines.indexOf(end, from);
  return from < 0 || to < 0 ? [...lines] : [...lines.slice(0, from), ...lines.slice(to + 1)];
}

/** Of a line, in lower case; localhost's are nobody else's. */
function names(line: string): string[] {
  const [address = "", ...found] = (line.split("#")[0] ?? "").trim().split(/\s+/);
  return /^(127\.|::1$|ff0)/.test(address) ? [] : found.map((name) => name.toLowerCase());
}
