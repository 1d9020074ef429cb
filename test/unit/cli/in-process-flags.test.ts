// Each option of `run` is held by the in-process engine or refused with a reason: a new one has to be decided.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkInProcess, notHeldInProcess } from "../../../src/cli/instances/in-process-flags.ts";
import { runVerb } from "../../../src/cli/table/run.ts";

const held = [
  "healthcheck", "name", "interactive", "tty", "volume", "env", "envFile", "workdir", "user", "hostname", "domainname", "newIdentity",
  "entrypoint", "logOpt", "label", "descriptor", "service", "secret", "stopSignal", "stopTimeout", "engine", "rm", "detach", "restart", "redirect", "allowHost",
  "connect", "cidfile", "init", "net", "pull", "labelFile", "linked", "logRedirections", "confine", "users", "clock", "clockRate", "unameRelease", "macAddress", "machineId", "hostid", "dmi", "keepIdentity",
]; // biome-ignore format: a table

test("every option of run is decided", () => {
  const keys = (runVerb.options ?? []).map(({ flags }) =>
    (/--(?:no-)?([\w-]+)/.exec(flags)?.[1] ?? "").replace(/-([a-z0-9])/g, (_, letter: string) =>
      letter.toUpperCase(),
    ),
  );
  assert.deepEqual([...keys].sort(), [...held, ...Object.keys(notHeldInProcess)].sort());
});

test("what is not held is refused by its flag, what says nothing else is not", () => {
  checkInProcess({
    restart: "no",
    push: true,
    network: ["host"],
    memory: undefined,
    publish: [],
    readOnly: false,
  });
  assert.throws(() => checkInProcess({ pidsLimit: "5", push: false }), /--pids-limit: .*; --no-push: /);
  assert.throws(() => checkInProcess({ readOnly: true }), /--read-only: only with --confine/);
  checkInProcess({ readOnly: true, confine: true });
  checkInProcess({ volume: ["/srv/data:/srv:ro", "data:/srv", "/srv"] });
});
