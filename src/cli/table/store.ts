// Verbs for packages and the store that holds them.
import type { Verb } from "../verb.ts";
import { dryRunOption, formatOption, listingOptions } from "./options.ts";

const group = "Packages";
const ref = { name: "REF", summary: "an OCI reference: [registry/]name[:tag][@digest]" };

export const storeVerbs: readonly Verb[] = [
  {
    name: "images",
    group,
    summary: "List the packages of the store",
    examples: ["tranship images", "tranship images --format json"],
    options: listingOptions,
    load: () => import("../store/images.ts"),
  },
  {
    name: "inspect",
    group,
    summary: "Show a package or an instance in full, as JSON",
    examples: ["tranship inspect shop", "tranship inspect --format '{{.id}}' shop"],
    arguments: [{ name: "<NAME...>", summary: "packages or instances" }],
    options: [
      formatOption,
      { flags: "--type <TYPE>", summary: "image or instance", choices: ["image", "instance"] },
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
      { flags: "--read-data", summary: "read every blob and every layer, not only names and sizes" },
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
    examples: ["tranship package show shop"],
    arguments: [ref],
    options: [formatOption],
    load: () => import("../store/package-show.ts"),
  },
  {
    name: "package export",
    group,
    summary: "Write a package as an archive that other tools read",
    examples: [
      "tranship package export shop -o shop.tar",
      "tranship package export --type dir shop -o shop/",
    ],
    arguments: [ref],
    options: [
      { flags: "-o, --output <FILE>", summary: "the archive, or the directory" },
      {
        flags: "--type <TYPE>",
        summary: "the form",
        choices: ["oci-archive", "oci-dir", "docker-archive", "dir"],
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
