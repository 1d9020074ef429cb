// Packages into which somebody put a part of a kernel under another name.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { mediaType } from "../../src/formats/oci.ts";
import type { StateRoot } from "../../src/host/state-root.ts";
import { buildImage, type ImageLayer } from "../../src/image/build.ts";
import { digestOf } from "../../src/image/digest.ts";
import { openStore } from "../../src/image/store.ts";
import { withSession } from "../../src/image/store-session.ts";

export interface DoctoredContent {
  tag: string;
  what: string;
  path: string;
  bytes(): Buffer;
}

/** The header of the boot protocol, as each bzImage has it. */
function kernelImage(): Buffer {
  const bytes = Buffer.alloc(64 << 10, "kernel");
  bytes.set([0x55, 0xaa], 0x1fe);
  bytes.write("HdrS", 0x202, "latin1");
  return bytes;
}

function module(): Buffer {
  const work = mkdtempSync(join(tmpdir(), "tranship-module-"));
  try {
    const source = `const char license[] __attribute__((section(".modinfo"), used)) = "license=GPL";\n`;
    execFileSync("gcc", ["-x", "c", "-c", "-o", join(work, "module.o"), "-"], { input: source });
    return readFileSync(join(work, "module.o"));
  } finally {
    rmSync(work, { recursive: true });
  }
}

export const doctoredContents: readonly DoctoredContent[] = [
  { tag: "kernel", what: "a renamed kernel", path: "/usr/share/doc/letter.txt", bytes: kernelImage },
  { tag: "module", what: "a renamed module", path: "/usr/lib/x86_64-linux-gnu/libtiny.so.1", bytes: module },
  {
    tag: "boot",
    what: "a boot file",
    path: "/boot/vmlinuz-5.10.0-9-amd64",
    bytes: () => Buffer.from("any\n"),
  },
];

/** The layers of a package and one more. */
export async function storeDoctored(
  root: StateRoot,
  order: { base: string; reference: string; content: DoctoredContent },
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "tranship-doctored-"));
  try {
    const file = join(work, order.content.path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, order.content.bytes());
    const tar = execFileSync("tar", ["-C", work, "--mtime=@0", "-cf", "-", order.content.path.slice(1)], {
      maxBuffer: 16 << 20,
    });
    const store = openStore(root);
    const image = store.image(order.base);
    await withSession(store, async (session) => {
      const layers: ImageLayer[] = image.layers.map((layer) => ({ ...layer, origin: "app" }));
      layers.push({
        descriptor: await session.put(mediaType.layer, tar),
        diffId: digestOf(tar),
        origin: "app",
      });
      await buildImage(session, {
        reference: order.reference,
        layers,
        config: image.config.config ?? {},
        architecture: "amd64",
        descriptorYaml: store.descriptorYaml(image) ?? "",
      });
    });
  } finally {
    rmSync(work, { recursive: true });
  }
}
