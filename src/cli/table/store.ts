// Verbs for packages and the store that holds them.
import type { Verb } from "../verb.ts";
import { dryRunOption, formatOption, inspectFormatOption, listingOptions, reachOptions } from "./options.ts";
import { mirrorOption, transferOptions } from "./registry.ts";

const group = "Packages";
const givenDescriptor = {
  flags: "--descriptor <FILE>",
  summary: "this descriptor in place of the package's own; - is standard input",
};
const ref = { name: "REF", summary: "an OCI reference: [registry/]name[:tag][@digest]" };

export const storeVerbs: readonly Verb[] = [
  {
    name: "images",
    group,
    summary: "List the packages of the store",
    examples: ["tranship images", "tranship images --format json"],
    options: [
      ...listingOptions,
      { flags: "-a, --all", summary: "as in docker; all are listed anyway" },
      { flags: "--digests", summary: "a column with the digest of each" },
      { flags: "--tree", summary: "the layers that packages share, with their sizes" },
    ],
    load: () => import("../store/images.ts"),
  },
  {
    name: "image history",
    group,
    summary: "List the layers of a package, the topmost first",
    examples: ["tranship image history shop"],
    arguments: [ref],
    options: [
      formatOption,
      { flags: "-q, --quiet", summary: "only diffIDs" },
      { flags: "--no-trunc", summary: "do not shorten" },
    ],
    load: () => import("../store/image-history.ts"),
  },
  {
    name: "image diff",
    group,
    summary: "Compare two packages file by file",
    description:
      "Lines begin with A (added), D (removed) or C (changed, and what). Exit status 4 where they differ.",
    examples: ["tranship image diff shop:1 shop:2"],
    arguments: [ref, { name: "OTHER", summary: "the package to compare it with" }],
    options: [formatOption],
    load: () => import("../store/image-diff.ts"),
  },
  {
    name: "sbom",
    group,
    summary: "Print the bill of materials of a package: SPDX 2.3, as JSON",
    description:
      "Installed packages with version and licence, and the digests of all files. It is made at capture and lies beside the image; for an image without one it is made from its own files.",
    examples: ["tranship sbom shop", "tranship sbom -o shop.spdx.json shop"],
    arguments: [ref],
    options: [
      { flags: "-o, --output <FILE>", summary: "write it to this file" },
      { flags: "--fresh", summary: "make it anew from the image, also where one was made at capture" },
    ],
    load: () => import("../store/sbom.ts"),
  },
  {
    name: "repair",
    group,
    summary: "Make damaged blobs and unpacked layers whole again from copies of their content",
    description:
      "Reads every blob. Content is taken from other layouts and registries (--from), from the same layer packed in another way, from the layer as it is unpacked, and from where the image was pulled from or pushed to. What says how a registry is reached holds for those of --from. Layers that were changed below where they are unpacked are unpacked anew, unless a running instance uses them. Exit status 4 where something stays damaged.",
    examples: [
      "tranship repair",
      "tranship repair --from /mnt/backup/tranship",
      "tranship repair --from registry.example.com/team/shop:1",
    ],
    options: [
      {
        flags: "--from <PLACE>",
        summary: "another state root or image layout, an image at a registry, or a registry (host[:port])",
        many: true,
      },
      { flags: "--offline", summary: "ask no registry but those of --from" },
      mirrorOption,
      ...transferOptions,
      dryRunOption,
      formatOption,
    ],
    load: () => import("../store/repair.ts"),
  },
  {
    name: "gc",
    group,
    summary: "Remove blobs and unpacked layers that no package and no instance needs",
    examples: ["tranship gc --dry-run", "tranship gc"],
    options: [dryRunOption, formatOption],
    load: () => import("../store/gc.ts"),
  },
  {
    name: "inspect",
    group,
    summary: "Show a package or an instance in full, as JSON",
    examples: ["tranship inspect shop", "tranship inspect --format '{{.id}}' shop"],
    arguments: [{ name: "<NAME...>", summary: "packages or instances" }],
    options: [
      inspectFormatOption,
      {
        flags: "--type <TYPE>",
        summary: "image, instance (or container), volume or network",
        choices: ["image", "instance", "container", "volume", "network"],
      },
      {
        flags: "-s, --size",
        summary: "of instances, how much they wrote and how much they have (SizeRw, SizeRootFs)",
      },
    ],
    load: () => import("../store/inspect.ts"),
  },
  {
    name: "verify",
    group,
    summary:
      "Check that a package is whole, holds no kernel part, and has all libraries that its programs need",
    examples: ["tranship verify shop", "tranship verify --read-data shop"],
    arguments: [ref],
    options: [
      {
        flags: "--read-data",
        summary: "also read descriptor and evidence, and hold unpacked layers against their archives",
      },
      formatOption,
    ],
    load: () => import("../store/verify.ts"),
  },
  {
    name: "tag",
    group,
    summary: "Give a package a further name",
    examples: ["tranship tag shop shop:2024"],
    arguments: [ref, { name: "NEW", summary: "the further reference" }],
    options: [dryRunOption, formatOption],
    load: () => import("../store/tag.ts"),
  },
  {
    name: "rmi",
    group,
    summary: "Remove packages and what only they use",
    examples: ["tranship rmi shop:old"],
    arguments: [{ name: "<REF...>", summary: "packages" }],
    options: [
      { flags: "-f, --force", summary: "also where an instance uses it" },
      dryRunOption,
      formatOption,
    ],
    load: () => import("../store/rmi.ts"),
  },
  {
    name: "package show",
    group,
    summary: "Print the descriptor of a package",
    description: "As it is stored, comments included. --effective adds what it leaves to defaults.",
    examples: ["tranship package show shop", "tranship package show --effective --format json shop"],
    arguments: [ref],
    options: [
      { flags: "--effective", summary: "with every default filled in" },
      givenDescriptor,
      { flags: "--format <FORMAT>", summary: "yaml, json or a template such as '{{.metadata.name}}'" },
    ],
    load: () => import("../store/package-show.ts"),
  },
  {
    name: "package edit",
    group,
    summary: "Change the descriptor of a package; its layers stay as they are",
    description:
      "Opens it in VISUAL or EDITOR (default vi); --set, --unset and --file are for scripts. Comments, order and unknown keys stay. What is not valid is refused with its line.\nKEY is like services[web].stop.timeout: elements of a list by name or number, [+] for one more. VALUE is YAML.",
    examples: [
      "tranship package edit shop",
      "tranship package edit --set 'services[web].stop.timeout=30s' --unset limits.memory shop",
      "tranship package edit --file shop.yaml -t shop:tuned shop",
    ],
    arguments: [ref],
    options: [
      { flags: "--set <KEY=VALUE>", summary: "set a key", many: true, sequence: "changes" },
      { flags: "--unset <KEY>", summary: "remove a key", many: true, sequence: "changes" },
      { flags: "--file <FILE>", summary: "take the whole descriptor from this file; - is standard input" },
      { flags: "-t, --tag <REF>", summary: "keep the result under this name; the package stays as it is" },
      dryRunOption,
      formatOption,
    ],
    load: () => import("../store/package-edit.ts"),
  },
  {
    name: "package lint",
    group,
    summary: "Look for what will go wrong when a package runs",
    description: "Exit status 3 where something blocks.",
    examples: ["tranship package lint shop", "tranship package lint --descriptor shop.yaml shop"],
    arguments: [ref],
    options: [
      givenDescriptor,
      { flags: "--text-only", summary: "judge the text alone, without reading the layers" },
      formatOption,
    ],
    load: () => import("../store/package-lint.ts"),
  },
  {
    name: "package bake",
    group,
    summary: "Put the descriptor into a small layer on top, for platforms that run the bare image",
    examples: ["tranship package bake shop", "tranship package bake -t shop:baked shop"],
    arguments: [ref],
    options: [
      givenDescriptor,
      { flags: "-t, --tag <REF>", summary: "keep the result under this name; the package stays as it is" },
      dryRunOption,
      formatOption,
    ],
    load: () => import("../store/package-bake.ts"),
  },
  {
    name: "package import",
    group,
    summary:
      "Take an archive of docker or podman, an OCI layout, a root directory or an EMP folder into the store",
    examples: [
      "tranship package import shop.tar shop:1",
      "tranship package import /srv/old-root old:1",
      "tranship package import --emp ./Acme_1234 acme:1",
    ],
    arguments: [
      {
        name: "[FILE]",
        summary: "what docker save wrote, an OCI archive or directory, or a root file system",
      },
      { name: "[REF]", summary: "the name that it gets" },
    ],
    options: [
      { flags: "--emp <DIR>", summary: "the folder of an EMP compatibility package, in place of FILE" },
      { flags: "--image <NAME>", summary: "which one, where an archive holds several" },
      dryRunOption,
      formatOption,
    ],
    load: () => import("../store/package-import.ts"),
  },
  {
    name: "package freeze",
    group,
    summary:
      "Make a package whole: a new one that has what its tethered instances fetched, and what that needs",
    description:
      "For instances of `run --tether`. The layers of the package stay as they are; what is missing is read from the source and becomes one more. " +
      "The package that is made runs without its source.",
    examples: [
      "tranship package freeze shop -t shop:whole",
      "tranship package freeze shop -t shop:whole -m rootfs:/mnt/old",
    ],
    arguments: [{ name: "INSTANCE", summary: "name or id; or a package: all its tethered instances" }],
    options: [
      { flags: "-t, --tag <REF>", summary: "the package that is made" },
      {
        flags: "-m, --machine <MACHINE>",
        summary: "the source; by default the one the instance was tethered to",
      },
      ...reachOptions,
      { flags: "--no-closure", summary: "only what was fetched, without what it needs beyond that" },
      dryRunOption,
      formatOption,
    ],
    load: () => import("../store/package-freeze.ts"),
  },
  {
    name: "package export",
    group,
    summary: "Write a package as an archive that other tools read, or as an EMP folder",
    description:
      "With --type tar it is a plain tree with a script `start`, which needs no more than a shell, mount and chroot; README beside it says what such a start lacks.",
    examples: [
      "tranship package export shop -o shop.tar",
      "tranship package export --type dir shop -o shop/",
      "tranship package export --type tar shop -o shop.tar.gz",
      "tranship package export --emp ./shop-emp shop",
    ],
    arguments: [ref],
    options: [
      { flags: "--emp <DIR>", summary: "a folder as those of EMP compatibility packages, in place of -o" },
      { flags: "-o, --output <FILE>", summary: "the archive, or the directory" },
      {
        flags: "--type <TYPE>",
        summary: "the form",
        choices: ["oci-archive", "oci-dir", "docker-archive", "dir", "tar"],
        default: "oci-archive",
      },
      {
        flags: "--compression <NAME>",
        summary: "of the layers; gzip is what every tool reads",
        choices: ["gzip", "zstd"],
        default: "gzip",
      },
      dryRunOption,
      formatOption,
    ],
    load: () => import("../store/package-export.ts"),
  },
];
