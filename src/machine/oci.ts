// oci:REF and oci:DIR[:NAME]. An image as a machine, under a read-only overlay in a private namespace. Layers of the store are unpacked once, as
// for running; those of a layout directory that is somebody else's into a work directory, which goes with the machine.
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join, resolve } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { encodeText } from "../formats/escape.ts";
import { type Descriptor, refNameAnnotation } from "../formats/oci.ts";
import { type EnterMount, sandboxCall } from "../host/enter.ts";
import { firstFd, startEnter } from "../host/enter-process.ts";
import { nativePath } from "../host/native.ts";
import type { StateRoot } from "../host/state-root.ts";
import { step } from "../host/steps.ts";
import { makeWorkDirectory, type WorkDirectory } from "../host/work.ts";
import { ensureInherited, type ImplyingLayer, makeInherited } from "../image/inherited-directories.ts";
import { ImageStore, openStore } from "../image/store.ts";
import { ensureLayer, unpackLayer } from "../image/unpack.ts";
import { LeftOutDevices } from "./left-out-devices.ts";
import type { Machine } from "./machine.ts";
import { mountedMachine } from "./mounted.ts";

export async function openOci(address: string, reference: string, root: StateRoot): Promise<Machine> {
  if (reference === "") {
    throw new TranshipError("E_MACHINE_UNREACHABLE", `${address} names no image`, {
      hint: "write oci:REF (`tranship images` lists what the store has) or oci:DIR:NAME for an image layout",
    });
  }
  const layout = layoutOf(reference);
  if (layout !== undefined) return await openLayout(address, layout, root);
  const store = openStore(root);
  const image = store.image(reference);
  const lowers: string[] = [];
  for (const { diffId } of image.layers) lowers.unshift(encodeText(await ensureLayer(root, store, diffId)));
  const diffIds = image.layers.map(({ diffId }) => diffId);
  const inherited = await ensureInherited(root, store, diffIds);
  if (inherited !== undefined) lowers.unshift(encodeText(inherited));
  return await mountLayers(address, lowers);
}

interface Layout {
  directory: string;
  /** What the layout's index calls the image; "" where it is the only one. */
  name: string;
}

/** As skopeo and umoci write it: the directory, and behind a colon the name. A directory is told by its path. */
function layoutOf(reference: string): Layout | undefined {
  const cut = reference.indexOf(":", reference.lastIndexOf("/") + 1);
  const [directory, name] = cut < 0 ? [reference, ""] : [reference.slice(0, cut), reference.slice(cut + 1)];
  if (existsSync(join(directory, "oci-layout"))) return { directory: resolve(directory), name };
  if (!/^\.{0,2}\//.test(reference)) return undefined;
  throw new TranshipError(
    "E_MACHINE_UNREACHABLE",
    `${directory} is no OCI image layout: it has no file oci-layout`,
    {
      hint: "name the directory itself, and behind a colon the image in it: oci:DIR:NAME",
    },
  );
}

async function openLayout(address: string, { directory, name }: Layout, root: StateRoot): Promise<Machine> {
  const store = new ImageStore({ ...root, store: directory });
  const image = store.imageOf(chosen(address, store.index().manifests, name));
  const work = makeWorkDirectory(root, "oci");
  try {
    const lowers: string[] = [];
    const layers: ImplyingLayer[] = [];
    const devices = new LeftOutDevices();
    for (const [index, layer] of image.layers.entries()) {
      const place = join(work.path, String(index));
      mkdirSync(place, { mode: 0o755 });
      step("unpack a layer of a layout");
      layers.push({ layer, implied: await unpackLayer({ store, layer }, place, devices) });
      lowers.unshift(encodeText(place));
    }
    const inherited = join(work.path, "inherited");
    if (await makeInherited(store, layers, inherited)) lowers.unshift(encodeText(inherited));
    return { ...(await mountLayers(address, lowers, work)), notes: devices.notes() };
  } catch (error) {
    work.remove();
    throw error;
  }
}

function chosen(address: string, manifests: readonly Descriptor[], name: string): Descriptor {
  const called = (one: Descriptor): string => one.annotations?.[refNameAnnotation] ?? "";
  const fits = manifests.filter((one) =>
    name === "" ? one.artifactType === undefined : called(one) === name,
  );
  const [only] = fits;
  if (only !== undefined && new Set(fits.map((one) => one.digest)).size === 1) return only;
  const names = [...new Set(manifests.map(called))].filter((one) => one !== "").sort();
  throw new TranshipError(
    "E_IMAGE_NOT_FOUND",
    only === undefined ? `${address} names no image of the layout` : `${address} has ${fits.length} images`,
    { hint: names.length === 0 ? "the layout names none" : `name one: ${names.slice(0, 20).join(", ")}` },
  );
}

async function mountLayers(
  address: string,
  lowers: readonly string[],
  work?: WorkDirectory,
): Promise<Machine> {
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
    return mountedMachine(address, "oci", `/proc/${pid}/root`, { close }, work);
  } catch (cause) {
    throw new TranshipError("E_MACHINE_UNREACHABLE", `cannot mount ${address}: ${(cause as Error).message}`, {
      hint: "overlays need root; `tranship doctor` checks this host",
      cause,
    });
  } finally {
    closeSync(program);
  }
}
