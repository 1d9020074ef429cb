// Software that brings its own kernel modules: a package has none, so the target's kernel must offer what they did.
import { baseName } from "../../discover/source.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule, type RuleContext } from "../rule.ts";

/** Modules that only tune the old machine's own hardware or console. */
const harmless =
  /^(loop|lp|rtc|parport|ppdev|psmouse|fuse|msr|cpuid|coretemp|i2c[-_].*|snd.*|drm.*|softdog)$/;

export const kernelParts: Rule = {
  id: "kernel-parts",
  title: "Kernel modules",
  severity: "warning",
  async check(context) {
    const findings: Finding[] = [];
    for (const entry of await context.source.list("/var/lib/dkms")) {
      if (entry.kind !== "directory" || !(await context.source.exists(entry.path))) continue;
      findings.push(say(baseName(entry.path), [entry.path], "is built for the old kernel with DKMS"));
    }
    for (const path of context.survey.foreignModules.filter(
      (each) => !/^\/(var\/lib\/dkms|usr\/src)\//.test(each),
    )) {
      findings.push(
        say(
          baseName(path).replace(/\.ko.*$/, ""),
          [path],
          "is a kernel module outside the kernel's own tree",
        ),
      );
    }
    findings.push(...(await asked(context)));
    return findings;
  },
};

/** Modules that configuration or a service asks for by name. */
async function asked(context: RuleContext): Promise<Finding[]> {
  const wanted = new Map<string, string[]>();
  const paths = ["/etc/modules", "/etc/rc.modules"];
  for (const directory of ["/etc/modules-load.d", "/usr/local/lib/modules-load.d"]) {
    paths.push(...(await context.source.filesIn(directory, /\.conf$/)));
  }
  for (const path of paths) {
    for (const line of ((await context.source.text(path)) ?? "").split("\n").slice(0, 1000)) {
      const name = /^\s*([A-Za-z0-9][\w-]{0,63})/.exec(line)?.[1];
      if (name !== undefined) wanted.set(name, [...(wanted.get(name) ?? []), path]);
    }
  }
  for (const service of context.inventory.services) {
    for (const command of [...service.exec.before, ...service.exec.start]) {
      const name = /\b(?:modprobe|insmod)\s+(?:-\S+\s+)*([\w-]{1,64})/.exec(command)?.[1];
      if (name !== undefined && !service.template)
        wanted.set(name, [...(wanted.get(name) ?? []), `service ${service.name}`]);
    }
  }
  return [...wanted]
    .filter(([name]) => !harmless.test(name))
    .map(([name, from]) => {
      const there = context.target.modules.includes(name.replaceAll("-", "_"));
      return say(
        name,
        from,
        there ? "is loaded by the old machine; the target has it loaded" : "is loaded by the old machine",
        there,
      );
    });
}

function say(subject: string, evidence: string[], what: string, there = false): Finding {
  return finding(kernelParts, subject, evidence, {
    effect: `the module ${what}; a package never carries kernel parts`,
    remedy: there
      ? "nothing, as long as the target keeps it"
      : "load an equal module on the target, or check that the application works without it",
    severity: there ? "note" : "warning",
  });
}
