// Lines of a stream of bytes: split at newlines alone, unlike node:readline, which splits inside of JSON too (U+2028).

const longest = 8 << 20;

/** Without their newlines; a last one without a newline too. One that is too long is left out. */
export async function* textLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > longest) rest = "";
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
