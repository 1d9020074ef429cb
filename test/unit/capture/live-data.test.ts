// Files of a program that runs: what is packed was all of the file at one moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { steadyItem } from "../../../src/capture/data/live-data.ts";
import type { Entry } from "../../../src/formats/entry.ts";
import type { FileStream, Machine, MachineFiles } from "../../../src/machine/machine.ts";

const path = "/data/log";

/** One file; `touch` is what its program does to it directly before and after each time somebody looks or reads. */
class Busy {
  bytes: Buffer;
  ino = 7n;
  #changes = 0;
  readonly #touch: (file: Busy, time: number) => void;
  /** All that the file ever was. */
  readonly moments = new Set<string>();

  constructor(content: string, touch: (file: Busy, time: number) => void) {
    this.bytes = Buffer.from(content);
    this.#touch = touch;
    this.moments.add(content);
  }

  tick(): void {
    this.#touch(this, this.#changes++);
    this.moments.add(this.bytes.toString());
  }

  entry(): Entry {
    return {
      path, kind: "file", mode: 0o644, uid: 0, gid: 0, nlink: 1, dev: 1n, ino: this.ino, size: this.bytes.length, blocks: 8,
      mtime: BigInt(this.#changes), ctime: BigInt(this.#changes), rdevMajor: 0, rdevMinor: 0, target: "", xattrs: [], extents: undefined,
    }; // biome-ignore format: a record
  }

  machine(): Machine {
    const files = {
      stat: async () => {
        this.tick();
        return this.entry();
      },
      readRange: async (_path: string, offset: number, length: number) => {
        const read = Buffer.from(this.bytes.subarray(offset, offset + length));
        this.tick();
        return read;
      },
      stream: async (): Promise<FileStream> => {
        const entry = this.entry();
        const before = this.#changes;
        const half = entry.size >> 1;
        const data = async function* (busy: Busy) {
          yield { offset: 0, bytes: Buffer.from(busy.bytes.subarray(0, half)) };
          busy.tick();
          yield { offset: half, bytes: Buffer.from(busy.bytes.subarray(half, entry.size)) };
        };
        return { entry, data: data(this), changed: () => this.#changes !== before };
      },
    };
    return { files: files as unknown as MachineFiles } as Machine;
  }
}

async function packed(busy: Busy): Promise<{ entry: Entry; text: string }> {
  const item = await steadyItem(busy.machine(), path);
  assert.ok(item?.data);
  const parts: Uint8Array[] = [];
  for await (const part of item.data) parts.push(part.bytes);
  return { entry: item.entry, text: Buffer.concat(parts).toString() };
}

test("a file that never stops growing is packed as it was at one moment", async () => {
  // No reading of it as a whole ends without an addition.
  const busy = new Busy("begin;", (file, time) => {
    if (time % 3 === 0) file.bytes = Buffer.concat([file.bytes, Buffer.from(`line ${time};`)]);
  });
  const { entry, text } = await packed(busy);
  assert.ok(text.startsWith("begin;"));
  assert.equal(entry.size, text.length);
  assert.ok(busy.moments.has(text), text);
});

test("a file that is written to in its middle all the time is refused", async () => {
  const busy = new Busy("a page, another page", (file, time) => {
    file.bytes = Buffer.concat([
      Buffer.from(`${time}`.padStart(6, "0")),
      file.bytes.subarray(6),
      Buffer.from("x"),
    ]);
  });
  await assert.rejects(packed(busy), /E_SOURCE_CHANGED|changes all the time/);
});

test("a file in whose place others come all the time is refused, not mixed from them", async () => {
  const busy = new Busy("first first", (file, time) => {
    file.ino = BigInt(time + 10);
    file.bytes = Buffer.concat([file.bytes, Buffer.from("+")]);
  });
  await assert.rejects(packed(busy), /changes all the time/);
});
