// The command of an ExecuteCommand call is one text.

/** By spaces, with quotes and backslashes as a shell has them; nothing is expanded. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs))
    words.push(
      word.replace(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs,
        (_, escaped, double, single) => escaped ?? single ?? String(double).replace(/\\(["\\$`])/g, "$1"),
      ),
    );
  return words;
}
