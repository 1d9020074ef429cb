// This host as a machine.
import type { Machine } from "./machine.ts";
import { TreeFiles } from "./tree-files.ts";

export function openLocal(address: string): Machine {
  return at(address, "/");
}

function at(address: string, root: string): Machine {
  const files = new TreeFiles(root);
  return {
    address,
    kind: "local",
    root,
    files,
    live: true,
    notes: [],
    seenBy: (pid) => at(address, `/proc/${pid}/root`),
    close: () => files.close(),
  };
}
