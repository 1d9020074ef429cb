import assert from "node:assert/strict";
import { test } from "node:test";
import { splitLog } from "../../src/runtime/oci/left-output.ts";

/** As crun does it: up to 255 bytes a time, with a newline behind each. */
const flushed = (text: string): string =>
  (text.match(/[\s\S]{1,255}/g) ?? []).map((each) => `${each}\n`).join("");
const error =
  '{"msg":"executable file `x` not found in $PATH","level":"error","time":"2026-01-01T00:00:00Z"}\n';

test("what a command wrote last is told from the runtime's own words", () => {
  const long = Array.from({ length: 90 }, (_, line) => `line ${line}\r\n`).join("");
  for (const text of ["/dev/pts/0\r\n", "no newline", "\r\n", "a\r\n\r\nb\r\n", long, '{"msg":"mine"}\r\n']) {
    const { words, output } = splitLog(Buffer.from(flushed(text)));
    assert.equal(output, text.replaceAll("\r\n", "\n"));
    assert.equal(words, undefined);
  }
  assert.deepEqual(splitLog(Buffer.from(error)), {
    words: "executable file `x` not found in $PATH",
    output: "",
  });
  assert.equal(splitLog(Buffer.from(error + flushed("left\r\n"))).output, "left\n");
  assert.deepEqual(splitLog(Buffer.alloc(0)), { words: undefined, output: "" });
});
