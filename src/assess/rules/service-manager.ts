// Who starts the services? Run recipes come from systemd units and init scripts; other managers are only seen.
import { finding, type Rule } from "../rule.ts";

const understood = new Set(["systemd", "sysv", "runit"]);

export const serviceManager: Rule = {
  id: "service-manager",
  title: "Service managers",
  severity: "warning",
  async check({ inventory, source }) {
    const findings = [];
    const byManager = Map.groupBy(
      inventory.services.filter((each) => !understood.has(each.manager) && each.state === "enabled"),
      (each) => each.manager,
    );
    for (const [manager, services] of byManager) {
      findings.push(
        finding(
          serviceManager,
          manager,
          services.map((service) => `${service.name} (${service.from[0] ?? ""})`),
          {
            effect: `${services.length} services are kept by ${manager}, from whose files no run recipe can be made yet`,
            remedy: "capture these by their command (after --) or while they run (--pid)",
          },
        ),
      );
    }
    for (const path of ["/command/svscan", "/etc/s6", "/etc/openrc", "/etc/runlevels"]) {
      if (!(await source.exists(path))) continue;
      findings.push(
        finding(serviceManager, path, [path], {
          effect: "a service manager that is not known was found",
          remedy: "capture its services by their command or while they run",
        }),
      );
    }
    if (inventory.services.length === 0) {
      findings.push(
        finding(serviceManager, "no services", [], {
          effect: "no service was found: the machine may start its programs in a way of its own",
          remedy: "name the command to capture, or a running process",
          severity: "note",
        }),
      );
    }
    return findings;
  },
};
