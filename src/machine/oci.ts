// oci:REF. An image of the store as a machine: its layers, unpacked once as for running, under a read-only overlay in a private namespace.
import { closeSync, openSync } from "node:fs";
import { TranshipError } from "../base/errors.ts";
import { encodeText } from "../formats/escape.ts";
import { type EnterMount, sandboxCall } from "../host/enter.ts";
import { firstFd, startEnter } from "../host/enter-process.ts";
import { nativePath } from "../host/native.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { openStore } from "../image/store.ts";
import { ensureLayer } from "../image/unpack.ts";
import type { Machine } from "./machine.ts";
import { mountedMachine } from "./mounted.ts";

export async function openOci(address: string, reference: string, root: StateRoot): Promise<Machine> {
  if (reference === "") {
    throw new TranshipError("E_MACHINE_UNREACHABLE", `${address} names no image`, {
      hint: "write oci:REF; `tranship images` lists what the store has",
    });
  }
  const store = openStore(root);
  const image = store.image(reference);
  const lowers: string[] = [];
  for (const { diffId } of image.layers) lowers.unshift(encodeText(await ensureLayer(root, store, diffId)));
  const [only] = lowers;
  if (only === undefined) throw new TranshipError("E_MACHINE_UNREACHABLE", `${address} has no layers`);
  const top: EnterMount =
    lowers.length === 1
      ? { kind: "bind", source: only, target: "/", readOnly: true }
      : { kind: "overlay", target: "/", lowers, nodev: true, nosuid: true, readOnly: true };
  const program = openSync(nativePath("tree"), "r");
  step("mount the image");
  // An idle server holds the mounts: the end of its input, or ours, ends it and them.
  const held = startEnter(
    sandboxCall({
      mounts: [top],
      command: { argv: ["tree", "serve", "/"], cwd: "/", clearEnv: true, execFd: firstFd },
    }),
    { stdio: ["pipe", "ignore", "ignore"], fds: [program] },
  );
  try {
    const { pid } = await held.ready;
    const close = async (): Promise<void> => {
      held.child.kill("SIGKILL");
      await held.exit.catch(() => {});
    };
    return mountedMachine(address, "oci", `/proc/${pid}/root`, { close });
  } catch (cause) {
    throw new TranshipError("E_MACHINE_UNREACHABLE", `cannot mount ${address}: ${(cause as Error).message}`, {
      hint: "overlays need root; `tranship doctor` checks this host",
      cause,
    });
  } finally {
    closeSync(program);
  }
}
