// A machine whose files are mounted in the namespace of another process, and go away with it.
import type { WorkDirectory } from "../host/work.ts";
import type { Machine } from "./machine.ts";
import { TreeFiles } from "./tree-files.ts";

/** `top` is a path like /proc/PID/root; closing the machine closes the holder and removes the work directory. */
export function mountedMachine(
  address: string,
  kind: "disk" | "oci",
  top: string,
  holder: { close(): Promise<void> },
  work?: WorkDirectory,
): Machine {
  const files = new TreeFiles(top);
  return {
    address,
    kind,
    // Overlays cannot be made on mounts of another namespace: what has to run is staged.
    root: undefined,
    files,
    placeOf: (path) => Buffer.from(top).toString("latin1") + path,
    live: false,
    notes: [],
    close: async () => {
      await files.close();
      await holder.close();
      work?.remove();
    },
  };
}
