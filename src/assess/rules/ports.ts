// Ports that are taken on the target or need privileges there.
import type { Finding } from "../assessment.ts";
import { finding, type Rule, type RuleContext } from "../rule.ts";

export const ports: Rule = {
  id: "ports",
  title: "Ports on the target",
  severity: "warning",
  check(context) {
    const findings: Finding[] = [];
    for (const [key, from] of wanted(context)) {
      const [protocol = "tcp", number = "0"] = key.split("/");
      const port = Number(number);
      const taken = context.target.portsInUse.filter(
        (each) => each.port === port && each.protocol.startsWith(protocol),
      );
      if (taken.length > 0 && context.inventory.machine.kind !== "local") {
        const by = taken.map(
          (each) => `${each.protocol} ${each.address}:${each.port} is in use on ${context.target.name}`,
        );
        findings.push(
          finding(ports, `${port}/${protocol}`, [...from, ...by], {
            effect: "publishing the same port of the target would fail",
            remedy: `free the port, or publish another one: -p OTHER:${port}`,
          }),
        );
      }
      if (!context.target.root && port < context.target.unprivilegedPort) {
        findings.push(
          finding(ports, `${port}/${protocol}`, from, {
            effect: `ports below ${context.target.unprivilegedPort} need privileges on the target`,
            remedy: "run as root, or publish a higher port",
          }),
        );
      }
    }
    return findings;
  },
};

/** "tcp/80" -> where it was seen; loopback-only listeners need no port of the target. */
function wanted({ inventory }: RuleContext): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const note = (key: string, from: string): void => {
    const list = found.get(key) ?? [];
    if (!list.includes(from)) found.set(key, [...list, from]);
  };
  for (const listener of inventory.listeners) {
    if (listener.port > 0 && !isLoopback(listener.address))
      note(`tcp/${listener.port}`, listener.from[0] ?? listener.kind);
  }
  for (const socket of inventory.sockets) {
    if (socket.protocol === "unix" || isLoopback(socket.address) || socket.port === 0) continue;
    note(`${socket.protocol.slice(0, 3)}/${socket.port}`, `listening: ${socket.address}:${socket.port}`);
  }
  return found;
}

function isLoopback(address: string): boolean {
  return /^127\.|^::1$|^localhost$|^::ffff:127\./.test(address);
}
