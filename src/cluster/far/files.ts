// The files of an agent on a far node.
import { home } from "./scripts.ts";

export interface AgentWords {
  /** Of the installation there: absolute. */
  program: string;
  url: string;
  /** Further words of `cluster join`. */
  join: readonly string[];
  /** Those of `cluster leave`. */
  leave: readonly string[];
  /** An authority of its own was sent along. */
  authority: boolean;
}

const made = "# Made by `tranship cluster join`; `tranship cluster leave` removes it.";

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/** Becomes the agent: the pid stays. The log of the start before is kept. */
export function runScript({ program, url, join, authority }: AgentWords): string {
  const words = [program, "cluster", "join", url, "--token-file", `${home}/token`, ...join];
  return [
    "#!/bin/sh",
    made,
    "umask 022",
    "cd / || exit 1",
    `[ ! -s ${home}/agent.log ] || mv -f ${home}/agent.log ${home}/agent.log.1`,
    `echo $$ >${home}/run.pid`,
    ...(authority ? [`NODE_EXTRA_CA_CERTS=${home}/ca.pem`, "export NODE_EXTRA_CA_CERTS"] : []),
    `exec ${quoted(words)} </dev/null >>${home}/agent.log 2>&1`,
    "",
  ].join("\n");
}

/** Where there is no systemd. */
export function keepScript(): string {
  return `#!/bin/sh
${made}
# Starts the agent again when it ends.
echo $$ >${home}/keep.pid
child=
trap 'trap "" TERM; [ -z "$child" ] || kill "$child" 2>/dev/null; wait; rm -f ${home}/keep.pid; exit 0' TERM INT
trap '' HUP
while :; do
	${home}/run &
	child=$!
	wait "$child"
	sleep 2 &
	child=$!
	wait "$child"
done
`;
}

/** Tasks live on when the agent ends: systemd must not end them with it. */
export function unitText(url: string): string {
  return `${made}
[Unit]
Description=Tranship agent of ${url.replaceAll("%", "%%")}
Wants=network-online.target
After=network-online.target
# Whatever ends it, and however often: the node is lost without it.
StartLimitIntervalSec=0

[Service]
ExecStart=${home}/run
Restart=always
RestartSec=2
KillMode=process

[Install]
WantedBy=multi-user.target
`;
}

/** Ends the tasks of the node. */
export function endScript({ program, leave }: AgentWords): string {
  return [
    "#!/bin/sh",
    made,
    "cd / || exit 1",
    `exec ${quoted([program, "cluster", "leave", ...leave])}`,
    "",
  ].join("\n");
}
