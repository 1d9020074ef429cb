// Many files in one pipeline: the next requests are on their way while the content of earlier ones comes, so that a small file costs no
// round trip of its own.
import { TranshipError } from "../base/errors.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import {
  decodeData,
  decodeEnd,
  decodeEntry,
  decodeError,
  encodePath,
  treeFrame,
  treeRequest,
} from "../formats/tree-records.ts";
import type { TreeClient } from "./tree-client.ts";

/** Called in the order of the paths, each path by itself; must not wait. What it throws ends the whole. */
export interface BulkSink {
  begin(index: number, entry: Entry): void;
  data(index: number, offset: number, bytes: Uint8Array): void;
  end(index: number, changed: boolean): void;
  /** Instead of an end, also in the middle of a file. */
  failed(index: number, errno: number): void;
}

/** Requests under way at once. */
const window = 512;

/** Streams all of them, last components not followed. Rejects when the connection breaks: what has not ended has to be asked again. */
export async function streamAll(
  client: TreeClient,
  paths: readonly ByteString[],
  sink: BulkSink,
): Promise<void> {
  if (paths.length === 0) return;
  const server = client.lend();
  try {
    await new Promise<void>((resolve, reject) => {
      let next = 0;
      let open = 0;
      const ask = (): void => {
        while (open < window && next < paths.length) {
          const index = next++;
          open++;
          let begun = false;
          server.request(treeRequest.stream, encodePath(paths[index] ?? ""), {
            fail: reject,
            frame: (frame) => {
              if (frame.type === treeFrame.data) {
                const { offset, bytes } = decodeData(frame.payload);
                sink.data(index, offset, bytes);
                return "more";
              }
              if (frame.type === treeFrame.entry && !begun) {
                begun = true;
                sink.begin(index, decodeEntry(frame.payload));
                return "more";
              }
              if (frame.type === treeFrame.error) sink.failed(index, decodeError(frame.payload).errno);
              else if (frame.type === treeFrame.end && begun) sink.end(index, decodeEnd(frame.payload));
              else
                throw new TranshipError(
                  "E_PROTOCOL",
                  `tree sent a frame of type ${frame.type} inside a file`,
                );
              open--;
              if (open === 0 && next === paths.length) resolve();
              else ask();
              return "end";
            },
          });
        }
      };
      ask();
    });
  } catch (error) {
    await server.kill();
    throw error;
  } finally {
    client.giveBack(server);
  }
}
