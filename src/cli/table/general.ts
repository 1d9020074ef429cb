// Verbs about Tranship itself.
import type { Verb } from "../verb.ts";
import { formatOption } from "./options.ts";

const group = "Everything else";

export const generalVerbs: readonly Verb[] = [
  {
    name: "demo",
    group,
    summary: "Lift a guest book off a Debian 11 machine made for the purpose, stage by stage, and clean up",
    examples: ["tranship demo", "tranship demo --keep"],
    options: [
      { flags: "--keep", summary: "leave the package and its running instance, and say how to remove them" },
      { flags: "--cache <DIR>", summary: "where the old machine is kept between demos" },
    ],
    load: () => import("../general/demo.ts"),
  },
  {
    name: "doctor",
    group,
    summary: "Check this host and the state root; each line with what to do",
    examples: ["tranship doctor", "tranship doctor --format json"],
    options: [formatOption],
    load: () => import("../general/doctor.ts"),
  },
  {
    name: "config",
    group,
    summary: "Show what flags, the environment and the state root settle",
    examples: ["tranship config show --origin", "tranship config --format json"],
    arguments: [{ name: "[show]", summary: "the only thing that it does" }],
    options: [{ flags: "--origin", summary: "where each value comes from, and how it is set" }, formatOption],
    load: () => import("../general/config.ts"),
  },
  {
    name: "explain",
    group,
    summary: "Explain an error code",
    examples: ["tranship explain E_NO_SPACE"],
    arguments: [{ name: "[CODE]", summary: "without one: all codes" }],
    options: [formatOption],
    load: () => import("../general/explain.ts"),
  },
  {
    name: "completion",
    group,
    summary: "Print what a shell needs to complete command lines, with the names of what exists",
    description:
      "In ~/.bashrc or ~/.zshrc: source <(tranship completion bash), with zsh in its place there. For fish it is written to ~/.config/fish/completions/tranship.fish.",
    examples: ["tranship completion bash", "tranship completion fish"],
    arguments: [{ name: "SHELL", summary: "bash, zsh or fish" }],
    load: () => import("../general/completion.ts"),
  },
  {
    name: "internal complete",
    group,
    hidden: true,
    summary: "What may stand at the cursor",
    examples: ["tranship internal complete -- image his"],
    arguments: [{ name: "[WORDS...]", summary: "behind tranship, up to the cursor" }],
    load: () => import("../general/complete.ts"),
  },
  {
    name: "support-bundle",
    group,
    summary: "Collect what a report of a defect needs in one file, without secrets",
    examples: ["tranship support-bundle -o bundle.json.gz"],
    options: [
      { flags: "-o, --output <FILE>", summary: "the file (default tranship-support.json.gz)" },
      formatOption,
    ],
    load: () => import("../general/support-bundle.ts"),
  },
  {
    name: "version",
    group,
    summary: "Print the version",
    examples: ["tranship version"],
    options: [formatOption],
    load: () => import("../general/version.ts"),
  },
];
