// This host as a machine.
import type { Machine } from "./machine.ts";
import { TreeFiles } from "./tree-files.ts";

export function openLocal(address: string): Machine {
  const files = new TreeFiles("/");
  return { address, kind: "local", root: "/", files, live: true, close: () => files.close() };
}
