// Byte strings of a machine as the texts of a descriptor. A descriptor is what people write, so its texts stand for themselves: a
// backslash is a backslash. escapeBytes() is for showing.
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";

/** undefined where the bytes are not UTF-8: no text stands for them. */
function textOf(value: ByteString): string | undefined {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(value, "latin1"));
  return encodeText(text) === value ? text : undefined;
}

/** What is executed, or handed to a program: it must arrive as it is. `where` is named in the error. */
export function exactText(value: ByteString, where: string): string {
  const text = textOf(value);
  if (text !== undefined) return text;
  throw new TranshipError(
    "E_DESCRIPTOR_INVALID",
    `${where} is not UTF-8: ${escapeBytes(value).slice(0, 200)}`,
    {
      hint: "a descriptor is UTF-8 text; put the command into a script on the source and name that",
    },
  );
}

/** A path: where it is not UTF-8 it is shown, which is the best that a text can do. */
export function pathText(value: ByteString): string {
  return textOf(value) ?? escapeBytes(value);
}
