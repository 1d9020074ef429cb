// SELinux and AppArmor policies are loaded into the kernel: a package leaves them behind.
import { baseName } from "../../discover/source.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule } from "../rule.ts";

export const accessPolicies: Rule = {
  id: "access-policies",
  title: "SELinux and AppArmor",
  severity: "note",
  async check({ source, inventory }) {
    const findings: Finding[] = [];
    const selinux = (await source.text("/etc/selinux/config")) ?? "";
    const mode = /^[ \t]*SELINUX=(\w+)/m.exec(selinux)?.[1];
    if (mode === "enforcing") {
      findings.push(
        say(
          "SELinux",
          ["/etc/selinux/config: enforcing"],
          "labels and policy of the old machine do not apply in an instance",
        ),
      );
    }
    const profiles = await source.filesIn("/etc/apparmor.d", /^(usr|opt|sbin|bin)\./);
    const own = profiles.filter((path) => {
      const program = `/${baseName(path).replaceAll(".", "/")}`;
      return inventory.services.some((service) => service.program === program && service.state === "enabled");
    });
    if (own.length > 0)
      findings.push(say("AppArmor", own, "the profile of the service is not loaded on the target"));
    return findings;
  },
};

function say(subject: string, evidence: string[], effect: string): Finding {
  return finding(accessPolicies, subject, evidence, {
    effect: `${effect}; the instance is confined by its own limits instead`,
    remedy: "nothing, unless the policy is demanded; then load an equal one on the target",
  });
}
