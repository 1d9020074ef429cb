// What is settled for every command: the order of what settles it, and what is not shown.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settingsOf, type Told } from "../../../src/cli/general/settings.ts";

const bare: Told = { options: {}, env: {}, root: "/r", subnet: undefined, terminal: true };
const found = (told: Partial<Told>, name: string): [string, string] => {
  const one = settingsOf({ ...bare, ...told }).find((setting) => setting.name === name);
  assert.ok(one, name);
  return [one.value, one.origin];
};

describe("settings", () => {
  it("names what settles a value, flags before variables before what is kept before defaults", () => {
    assert.deepEqual(found({}, "root"), ["/r", "default"]);
    const env = { TRANSHIP_ROOT: "/r", TRANSHIP_SUBNET: "10.9.0.0/16", VISUAL: "", EDITOR: "nano" };
    assert.deepEqual(found({ env }, "root"), ["/r", "TRANSHIP_ROOT"]);
    assert.deepEqual(found({ env, options: { root: "/r" } }, "root"), ["/r", "--root"]);
    assert.deepEqual(found({ subnet: "10.213.0.0/16" }, "subnet"), [
      "10.213.0.0/16",
      "/r/network/subnet.json",
    ]);
    assert.deepEqual(found({ env, subnet: "10.213.0.0/16" }, "subnet"), ["10.9.0.0/16", "TRANSHIP_SUBNET"]);
    assert.deepEqual(found({ env }, "editor"), ["nano", "EDITOR"]);
    assert.deepEqual(found({ env: { TRANSHIP_RUNTIME: "" } }, "runtime"), ["crun, or runc", "default"]);
    assert.deepEqual(found({ options: { logLevel: "debug" } }, "log-level"), ["debug", "--log-level"]);
    assert.deepEqual(found({ env: { NO_COLOR: "1" } }, "color"), ["off", "NO_COLOR"]);
    assert.deepEqual(found({ env: { NO_COLOR: "1" }, options: { color: false } }, "color"), [
      "off",
      "--no-color",
    ]);
  });

  it("shows no secret", () => {
    const env = {
      TRANSHIP_JOIN_TOKEN: "hush",
      TRANSHIP_REGISTRY_MIRRORS: "docker.io=https://me:hush@m:5000, you:hush@n",
    };
    assert.deepEqual(found({ env }, "join-token"), ["***", "TRANSHIP_JOIN_TOKEN"]);
    assert.equal(found({ env }, "registry-mirrors")[0], "docker.io=https://***@m:5000, ***@n");
    assert.doesNotMatch(JSON.stringify(settingsOf({ ...bare, env })), /hush/);
  });
});
