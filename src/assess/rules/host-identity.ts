// What is bound to this one machine: licences by MAC address or host id, configuration that names the host.
import type { Finding } from "../assessment.ts";
import { finding, type Rule, type RuleContext } from "../rule.ts";

const licenceBinding = /\b(HOSTID|MAC|ETHERNET|DISK_SERIAL_NUM|SERVER\s+\S+\s+[0-9a-f]{8,12})\b/i;

export const hostIdentity: Rule = {
  id: "host-identity",
  title: "Bound to this machine",
  severity: "warning",
  async check(context) {
    const findings: Finding[] = [];
    const { identity } = context.inventory;
    for (const path of context.survey.licenceLike) {
      const text = (await context.source.head(path, 256 << 10)) ?? "";
      const mac = identity.macAddresses.find((each) =>
        text.toLowerCase().replace(/[:.-]/g, "").includes(each.replaceAll(":", "")),
      );
      if (mac === undefined && !licenceBinding.test(text)) continue;
      findings.push(
        finding(
          hostIdentity,
          path,
          [mac === undefined ? "names a host id or an address" : `names the address ${mac}`],
          {
            effect: "a licence bound to the machine may be refused elsewhere",
            remedy:
              "keep that identity (capture --keep-identity mac,hostid), and only for licences that you hold",
          },
        ),
      );
    }
    findings.push(...(await named(context)));
    if (identity.from.includes("/etc/hostid")) {
      findings.push(
        finding(hostIdentity, "/etc/hostid", [identity.hostId], {
          effect: "the machine has a host id of its own, which programs can ask for",
          remedy: "keep it with --keep-identity hostid if a licence depends on it",
          severity: "note",
        }),
      );
    }
    return findings;
  },
};

/** Configuration files with the host's name or machine id in them; those that define it are no finding. */
async function named(context: RuleContext): Promise<Finding[]> {
  const { hostname, machineId } = context.inventory.identity;
  const own =
    /^\/etc\/(hostname|HOSTNAME|hosts|mailname|machine-id|sysconfig\/network|ssh\/.*\.pub|postfix\/main\.cf)$/;
  const name =
    hostname.length >= 4 && !/^(localhost|debian|linux|server|test|host|system|unknown)$/i.test(hostname)
      ? hostname
      : undefined;
  const byHost: string[] = [];
  const byId: string[] = [];
  const pattern =
    name === undefined
      ? undefined
      : new RegExp(`(^|[^\\w.-])${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}($|[^\\w-])`);
  for (const path of context.survey.configuration.slice(0, 3000)) {
    if (own.test(path)) continue;
    const text = (await context.source.text(path, 256 << 10)) ?? "";
    if (pattern?.test(text) === true) byHost.push(path);
    if (machineId.length === 32 && text.includes(machineId)) byId.push(path);
  }
  const findings: Finding[] = [];
  if (byHost.length > 0) {
    findings.push(
      finding(hostIdentity, `host name ${hostname}`, byHost, {
        effect: "configuration names the machine: it must keep its host name, or these files must change",
        remedy: "keep identity.hostname (the default)",
        severity: "note",
      }),
    );
  }
  if (byId.length > 0) {
    findings.push(
      finding(hostIdentity, "machine id", byId, {
        effect: "configuration holds the machine id",
        remedy: "keep it with --keep-identity machine-id, for one running instance",
      }),
    );
  }
  return findings;
}
