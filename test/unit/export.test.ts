// What other platforms are told of a package: names, times, quoting, sizes; and what they are not.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { composeOf } from "../../src/export/compose.ts";
import { ecsOf } from "../../src/export/ecs.ts";
import { exportFacts } from "../../src/export/facts.ts";
import { kubernetesOf } from "../../src/export/kubernetes.ts";
import { checkName, NameSet, nameOf } from "../../src/export/names.ts";
import { systemdOf } from "../../src/export/systemd.ts";
import { type Descriptor, newDescriptor } from "../../src/package/descriptor.ts";

const origin = { os: { id: "debian", version: "11" }, kernel: "5.10", architecture: "amd64" };
const bare = newDescriptor({ id: "shop_1", name: "Old Shop", version: "1", publisher: "" }, origin);

const whole: Descriptor = {
  ...bare,
  programs: [{ name: "web", command: ["/usr/sbin/web"], user: "www-data" }],
  services: [
    { name: "db", program: "web", readiness: { port: 5, timeout: "40s" }, stop: { timeout: "90s" } },
    { name: "web", program: "web", readiness: { file: "/run/x" }, stop: { timeout: "1m" } },
    { name: "once", program: "web", type: "oneshot", stop: { timeout: "9h" } },
    { name: "by-hand", program: "web", startup: "manual", readiness: { port: 6, timeout: "9h" } },
  ],
  ports: [
    { port: 80, protocol: "tcp", name: "http" },
    { port: 53, protocol: "udp" },
  ],
  volumes: [
    { path: "/var/lib/my$ql", initial: "copy", size: "3GiB" },
    { path: "/var/lib/my-ql", initial: "none" },
  ],
  secrets: [
    { delivery: "mount", path: "/etc/a/key.pem", required: true },
    { delivery: "mount", path: "/etc/b/key.pem", required: false },
    { delivery: "env", name: "TOKEN", required: true },
  ],
  identity: { ...bare.identity, hostname: "old-web.corp", domain: "corp.example", hostId: "00000001" },
  limits: { ...bare.limits, memory: "600MiB", cpus: 1.5, disk: "1GiB", network: "10mbit" },
  capabilities: ["CHOWN", "SETUID", "SYS_NICE"],
  redirections: {
    ...bare.redirections,
    network: [
      { kind: "name", from: "db.old", to: "192.0.2.9" },
      { kind: "name", from: "mail.old", to: "mail.new" },
    ],
  },
};

const factsOf = (descriptor: Descriptor) =>
  exportFacts(descriptor, "shop:1", {
    optionalSecrets: true,
    image: "registry.example/shop:1",
    hostPorts: new Map([[80, 8080]]),
  });

describe("export", () => {
  it("makes names that platforms take, each once", () => {
    assert.equal(nameOf("/var/lib/mysql", "data"), "var-lib-mysql");
    assert.equal(nameOf("///", "data"), "data");
    assert.equal(nameOf(`${"a".repeat(62)}--b`, "data"), "a".repeat(62));
    const names = new NameSet(15);
    assert.deepEqual(
      ["/srv/data", "srv data", "SRV_DATA!", "abcdefghijklmnopqr", "abcdefghijklmnopqs"].map((one) =>
        names.add(one, "x"),
      ),
      ["srv-data", "srv-data-2", "srv-data-3", "abcdefghijklmno", "abcdefghijklm-2"],
    );
    for (const wrong of ["", "A", "-a", "a-", "a.b", "a".repeat(64)])
      assert.throws(() => checkName(wrong), /no name/);
  });

  it("adds up the times of services that start by themselves", () => {
    const { stopSeconds, startSeconds } = factsOf(whole);
    assert.deepEqual([stopSeconds, startSeconds], [153, 70]);
    assert.deepEqual([factsOf(bare).stopSeconds, factsOf(bare).startSeconds], [10, undefined]);
  });

  it("names what no platform is told, and says nothing where there is nothing", () => {
    assert.deepEqual([factsOf(bare).left, factsOf(bare).ownAlone], [[], []]);
    const { ownAlone } = factsOf({ ...whole, links: ["driver_1"], excludes: ["helper"] });
    const left = ownAlone.join("\n");
    for (const part of [
      /mail\.old leads to the name mail\.new/,
      /linked packages: driver_1/,
      /host id/,
      /10mbit/,
      /helper/,
    ])
      assert.match(left, part);
    const clock = { ...bare, elements: { ...bare.elements, clock: { offset: "-1d" } } };
    const arm = { ...clock, origin: { ...origin, architecture: "arm64" } };
    assert.deepEqual(factsOf(clock).ownAlone, []);
    assert.match(factsOf(arm).ownAlone.join(), /is for amd64/);
  });

  it("tells of hooks and optional secrets whoever starts it", () => {
    const hooked = {
      ...whole,
      hooks: { ...bare.hooks, postInstall: [{ command: ["/bin/setup"], where: "package" as const }] },
    };
    const facts = exportFacts(hooked, "shop:1", { image: "shop:1", hostPorts: new Map() });
    for (const starter of ["tranship", "podman", "docker"] as const) {
      const { left } = systemdOf(facts, { with: starter, program: "/usr/bin/x", secretFolder: "/etc/s" });
      assert.match(left.join("\n"), /--optional-secrets/);
      assert.match(left.join("\n"), /1 hooks/);
      assert.equal(/host id/.test(left.join("\n")), starter !== "tranship");
    }
  });

  it("leaves secrets out that the package can do without, where nobody asks for them, and says so", () => {
    const facts = exportFacts(whole, "shop:1", { image: "shop:1", hostPorts: new Map() });
    assert.deepEqual(
      facts.files.map(({ path }) => path),
      ["/etc/a/key.pem"],
    );
    assert.match(facts.left.join(), /the secret \/etc\/b\/key\.pem, which is optional \(--optional-secrets/);
  });

  it("compose: looks up what is to be looked up, and nothing else", () => {
    const { artefacts, left } = composeOf(factsOf(whole));
    assert.match(left.join(), /outside of its volumes/);
    const project = parse(artefacts[0].text);
    const service = project.services["old-shop"];
    assert.deepEqual(service.volumes, ["var-lib-my-ql:/var/lib/my$$ql", "var-lib-my-ql-2:/var/lib/my-ql"]);
    assert.equal(service.environment.TOKEN, "${TOKEN:?old-shop needs it}");
    assert.deepEqual(service.ports, ["8080:80/tcp", "53:53/udp"]);
    assert.equal(service.stop_grace_period, "153s");
    assert.equal(service.mem_limit, 600 << 20);
    assert.deepEqual(project.secrets["2-key.pem"], { file: "./secrets/2-key.pem" });
    assert.deepEqual(Object.keys(parse(composeOf(factsOf(bare)).artefacts[0].text)), ["services"]);
  });

  it("compose: a learned list of system calls goes along as a profile, with what init needs", () => {
    const learned = { ...bare, syscalls: { profile: "learned" as const, calls: ["getpid"] } };
    const [main, profile] = composeOf(factsOf(learned)).artefacts;
    assert.match(main.text, /seccomp:\.\/seccomp\.json/);
    const names = JSON.parse(profile?.text ?? "{}").syscalls[0].names;
    assert.ok(names.includes("getpid") && names.includes("execve") && !names.includes("sethostname"));
    // As containers have the capability for it by default.
    const chroot = { ...learned, syscalls: { ...learned.syscalls, calls: ["chroot"] } };
    const words = composeOf(factsOf(chroot)).artefacts[1]?.text ?? "{}";
    assert.ok(JSON.parse(words).syscalls.some((one: { names: string[] }) => one.names.includes("chroot")));
  });

  it("kubernetes: one pod at a time, filled volumes, secrets as files and variables", () => {
    const documents = parseAllDocuments(kubernetesOf(factsOf(whole)).artefacts[0].text).map((one) =>
      one.toJS(),
    );
    assert.deepEqual(
      documents.map(({ kind }) => kind),
      ["PersistentVolumeClaim", "PersistentVolumeClaim", "Deployment", "Service"],
    );
    assert.deepEqual(
      documents.slice(0, 2).map(({ spec }) => spec.resources.requests.storage),
      ["6Gi", "1Gi"],
    );
    const { spec } = documents[2];
    assert.equal(spec.strategy.type, "Recreate");
    const pod = spec.template.spec;
    assert.equal(pod.hostname, "old-web");
    assert.deepEqual(
      pod.initContainers.map((one: { command: string[] }) => one.command.slice(1)),
      [["--seed", "/var/lib/my$ql", "/.tranship/seed"]],
    );
    const [container] = pod.containers;
    assert.deepEqual(container.startupProbe.failureThreshold, 15);
    assert.deepEqual(container.volumeMounts.map((one: { mountPath: string }) => one.mountPath), [
      "/var/lib/my$ql", "/var/lib/my-ql", "/etc/a/key.pem", "/etc/b/key.pem",
    ]); // biome-ignore format: short
    // Not all programs are root's.
    assert.equal(pod.volumes.at(-1).secret.defaultMode, 0o444);
    assert.equal(documents[3].spec.ports[0].port, 8080);
    const plain = parseAllDocuments(kubernetesOf(factsOf(bare)).artefacts[0].text).map((one) => one.toJS());
    assert.deepEqual(
      plain.map(({ kind }) => kind),
      ["Deployment"],
    );
    assert.equal(plain[0].spec.strategy, undefined);
  });

  it("systemd: words as systemd splits them", () => {
    const strange = { ...whole, volumes: [{ path: '/srv/a b"c%d$e\\f', initial: "none" as const }] };
    const { artefacts } = systemdOf(factsOf(strange), {
      with: "docker",
      program: "/usr/bin/docker",
      secretFolder: "/etc/s",
    });
    assert.match(artefacts[0].text, / -v "old-shop\.srv-a-b-c-d-e-f:\/srv\/a b\\"c%%d\$\$e\\\\f" /);
    assert.match(artefacts[0].text, /^Requires=docker\.service$/m);
    assert.match(artefacts[0].text, /^TimeoutStopSec=163$/m);
    // What our own `run` knows from the package is not said twice.
    const own = systemdOf(factsOf(whole), {
      with: "tranship",
      program: "/usr/bin/tranship",
      secretFolder: "/etc/s",
    });
    assert.doesNotMatch(own.artefacts[0].text, /--hostname|--cap-add/);
    assert.match(own.artefacts[0].text, / --secret \/etc\/a\/key\.pem=\/etc\/s\/key\.pem /);
    assert.deepEqual(own.left, []);
  });

  it("ecs: sizes of Fargate, and what has to be given for it", () => {
    const wishes = { launchType: "FARGATE", memory: 512, efs: "fs-1", executionRole: "arn:role" } as const;
    const definition = (parts: Partial<Descriptor>, more: object = {}) =>
      JSON.parse(ecsOf(factsOf({ ...bare, ...parts }), { ...wishes, ...more }).artefacts[0].text);
    for (const [cpus, memory, size] of [
      [null, null, ["256", "512"]],
      [null, "1200MiB", ["256", "2048"]],
      [1.5, "600MiB", ["2048", "4096"]],
      [0.25, "3GiB", ["512", "3072"]],
      [10, "21GiB", ["16384", "32768"]],
    ] as const) {
      const one = definition({ limits: { ...bare.limits, cpus, memory } });
      assert.deepEqual([one.cpu, one.memory], size);
    }
    assert.throws(() => definition({ limits: { ...bare.limits, cpus: 99 } }), /no size for 99 processors/);
    assert.throws(() => definition(whole, { efs: undefined }), /Fargate keeps no data/);
    assert.throws(() => definition(whole, { executionRole: undefined }), /by a role of its own/);
    const there = definition(whole, { launchType: "EC2", efs: undefined }).containerDefinitions[0];
    assert.deepEqual(there.linuxParameters.capabilities.add, ["SYS_NICE"]);
    assert.equal(there.linuxParameters.capabilities.drop.includes("CHOWN"), false);
    assert.equal(there.stopTimeout, 120);
    assert.equal(there.portMappings[0].hostPort, 8080);
    const sctp = ecsOf(factsOf({ ...bare, ports: [{ port: 7, protocol: "sctp" }] }), wishes);
    assert.match(sctp.left.join(), /the port 7: ECS knows no SCTP/);
  });
});
