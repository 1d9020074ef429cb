// Who starts the services? Run recipes come from the files of each manager; inetd and xinetd are services by themselves.
import { finding, type Rule } from "../rule.ts";

const superServers = new Set(["inetd", "xinetd"]);

export const serviceManager: Rule = {
  id: "service-manager",
  title: "Service managers",
  severity: "warning",
  async check({ inventory, source }) {
    const findings = [];
    const byManager = Map.groupBy(
      inventory.services.filter((each) => superServers.has(each.manager) && each.state === "enabled"),
      (each) => each.manager,
    );
    for (const [manager, services] of byManager) {
      findings.push(
        finding(
          serviceManager,
          manager,
          services.map((service) => `${service.name} (${service.from[0] ?? ""})`),
          {
            effect: `${services.length} programs are started by ${manager}, one for each connection`,
            remedy: `capture them as one service: \`--service\` with the name of any of them starts ${manager} with all that it keeps`,
            severity: "note",
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
