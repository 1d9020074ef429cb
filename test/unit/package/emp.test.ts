import assert from "node:assert/strict";
import { test } from "node:test";
import { readFolder } from "../../../src/formats/emp/folder.ts";
import { lintFolder } from "../../../src/formats/emp/lint.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";
import { changeText } from "../../../src/package/edit.ts";
import { filesOf, packageOf } from "../../../src/package/emp/emp.ts";
import { printDescriptor } from "../../../src/package/yaml.ts";
import { empFiles, empTexts } from "../../support/emp.ts";

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

test("an EMP folder as a descriptor", () => {
  const { descriptor, notes } = packageOf(empFiles());
  assert.equal(descriptor.metadata.id, "Acme_1234");
  assert.deepEqual(descriptor.programs, [
    { name: "run1", command: ["/Program Files/Acme/acme.exe"] },
    { name: "run5", command: ["/Program Files/Acme/service.exe", "-n", "two words"] },
  ]);
  assert.deepEqual(descriptor.services, [
    { name: "AcmeSvc", program: "run5", startup: "auto", stop: { timeout: "300s" } },
  ]);
  assert.deepEqual(descriptor.redirections.files, [
    { from: "/%SystemX86%/tool.msc", to: "/Windows/SysWOW64/tool.msc", match: "exact", mode: "full" },
    { from: "/%ProgramFiles%/Acme", to: "/Program Files/Acme", match: "folder", mode: "full" },
    { from: "/D:", to: "/", match: "folder", mode: "full" },
  ]);
  assert.deepEqual(descriptor.redirections.network, [
    { kind: "name", from: "old-db", to: "new-db" },
    { kind: "connect", from: "192.168.2.1:13000", to: "127.0.0.1:12000" },
  ]);
  assert.equal(descriptor.redirections.registry.length, 3);
  assert.equal(descriptor.identity.hostname, "legacy_name");
  assert.deepEqual(descriptor.environment, { Path: "C:\\Acme\\bin\\", ACME_HOME: "C:\\Acme" });
  assert.deepEqual(descriptor.hooks, {
    preInstall: [{ command: ["Powershell.exe", "/.tranship/emp/users.ps1"], where: "host" }],
    postInstall: [{ command: ["/Program Files/Acme/setup.exe"], where: "package" }],
    uninstall: [],
  });
  assert.deepEqual(descriptor.associations, [{ program: "run1", extensions: ["acm"] }]);
  assert.deepEqual(descriptor.shortcuts, [{ name: "Acme", program: "run1", icon: "acme.ico" }]);
  assert.deepEqual([descriptor.links, descriptor.excludes], [["OtherPackage"], ["Excel.exe"]]);
  assert.equal(notes.length, 3);
});

test("an imported folder comes back as it was, and a change of the descriptor touches its bytes alone", () => {
  const before = empFiles();
  const { text: yaml } = packageOf(before);
  assert.deepEqual(filesOf(before, yaml, "acme"), before);
  const changed = changeText(yaml, [
    { key: "services[AcmeSvc].stop.timeout", value: "20s" },
    { key: "redirections.files[0].to", value: "/Windows/tool.msc" },
    { key: "programs[run1].command", value: ["/Program Files/Acme/acme.exe", "-v"] },
    { key: "excludes[+]", value: "Winword.exe" },
  ]);
  const after = filesOf(before, changed, "acme");
  const differing = [...after]
    .filter(([name, bytes]) => text(bytes) !== empTexts[name])
    .map(([name]) => name);
  assert.deepEqual(differing.sort(), [
    "Compatibility.Package.Engine.clc", "Programs.xml", "Redirections.xml", "Services.xml",
  ]); // biome-ignore format: short
  assert.equal(text(after.get("Services.xml")), (empTexts["Services.xml"] ?? "").replace("300000", "20000"));
  assert.equal(
    text(after.get("Redirections.xml")),
    (empTexts["Redirections.xml"] ?? "").replace("ProgData\\Windows\\SysWOW64", "ProgData\\Windows"),
  );
  assert.equal(packageOf(after).text, changed, "EMP says all of it: no tranship.yaml");
});

test("what EMP has no word for is kept beside its files, and comes back", () => {
  const before = empFiles();
  const changed = changeText(packageOf(before).text, [{ key: "limits.memory", value: "1GiB" }]);
  const after = filesOf(before, changed, "acme");
  assert.equal(packageOf(after).text, changed);
  assert.deepEqual(
    [...after.keys()].filter((name) => !before.has(name)),
    ["tranship.yaml"],
  );
});

const shop = printDescriptor({
  ...newDescriptor(
    { id: "shop_1", name: "shop", version: "3", publisher: "Us" },
    { os: { id: "debian", version: "11" }, kernel: "5.10", architecture: "amd64" },
  ),
  programs: [{ name: "main", command: ["/usr/sbin/shop", "-c", "/etc/a b.conf"], user: "www-data", workingDirectory: "/srv" }],
  services: [{ name: "web", program: "main", essential: true, stop: { signal: "SIGINT", timeout: "15s" } }],
  redirections: {
    files: [
      { from: "/opt/old", to: "/srv/old", match: "folder", mode: "write-copy" },
      { from: "/etc/gone", to: "/etc/gone", match: "exact", mode: "hide" },
    ],
    network: [{ kind: "connect", from: "10.0.0.1:3306", to: "127.0.0.1:3306" }],
    registry: [],
  },
  hooks: {
    preInstall: [{ command: ["useradd", "shop"], where: "host" }],
    postInstall: [{ command: ["/usr/bin/init-db", "-x"], where: "package", timeout: "90s" }, { program: "main", where: "package" }],
    uninstall: [],
  },
  associations: [{ program: "main", extensions: ["shop", "shp"], mimeType: "application/x-shop" }],
  shortcuts: [{ name: "Shop", program: "main", comment: "sells" }],
  links: ["base_2"],
  volumes: [{ path: "/var/lib/shop", initial: "copy" }],
}); // biome-ignore format: a table

test("any package has a valid folder, and comes back from it", () => {
  const files = filesOf(new Map(), shop, "shop");
  assert.deepEqual(
    lintFolder(files, () => true).map((one) => one.message),
    [],
  );
  assert.equal(packageOf(files).text, shop);
  assert.equal(readFolder(files).report?.length, 3);
});

test("what is changed in the files of EMP is carried over to the descriptor", () => {
  const files = filesOf(new Map(), shop, "shop");
  const services = text(files.get("Services.xml")).replace("15000", "40000").replace("Automatic", "Manual");
  files.set("Services.xml", Buffer.from(services));
  const redirections = text(files.get("Redirections.xml")).replace("/opt/old", "/opt/older");
  files.set("Redirections.xml", Buffer.from(redirections));
  const { descriptor } = packageOf(files);
  assert.deepEqual(descriptor.services, [
    { name: "web", program: "main", essential: true, stop: { signal: "SIGINT", timeout: "40s" }, startup: "manual", startOnDeploy: true },
  ]); // biome-ignore format: short
  assert.deepEqual(
    descriptor.redirections.files.map(({ from, mode }) => [from, mode]),
    [
      ["/etc/gone", "hide"],
      ["/opt/older", "full"],
    ],
  );
  assert.deepEqual(descriptor.volumes, [{ path: "/var/lib/shop", initial: "copy" }]);
});

test("what a deployment starts is said in both forms", () => {
  const said = (startup: string, start: string): readonly [unknown, unknown] => {
    const files = empFiles();
    const changed = text(files.get("Services.xml"))
      .replace("<Startup>Automatic<", `<Startup>${startup}<`)
      .replace("<StartOnDeploy>true<", start === "" ? "<Other>true<" : `<StartOnDeploy>${start}<`)
      .replace("</StartOnDeploy>", start === "" ? "</Other>" : "</StartOnDeploy>");
    files.set("Services.xml", Buffer.from(changed));
    const read = packageOf(files);
    assert.deepEqual(filesOf(files, read.text, "acme"), files);
    const [service] = read.descriptor.services;
    // In a folder of its own it says the same.
    assert.deepEqual(packageOf(filesOf(new Map(), read.text, "acme")).descriptor.services[0], service);
    return [service?.startup, service?.startOnDeploy];
  };
  assert.deepEqual(said("Automatic", "true"), ["auto", undefined]);
  assert.deepEqual(said("Automatic", "False"), ["auto", false]);
  assert.deepEqual(said("Manual", "TRUE"), ["manual", true]);
  assert.deepEqual(said("Manual", "false"), ["manual", undefined]);
  assert.deepEqual(said("Disabled", ""), ["disabled", undefined]);
  assert.deepEqual(said("Automatic", "perhaps"), ["auto", undefined]);
  assert.deepEqual(said("constructor", "constructor"), [undefined, undefined]);
  const before = empFiles();
  const off = changeText(packageOf(before).text, [{ key: "services[AcmeSvc].startOnDeploy", value: false }]);
  const after = filesOf(before, off, "acme");
  assert.equal(
    text(after.get("Services.xml")),
    (empTexts["Services.xml"] ?? "").replace("<StartOnDeploy>true<", "<StartOnDeploy>false<"),
  );
  assert.equal(packageOf(after).text, off);
});

test("a rule that leaves the package, and an id that is none, are refused", () => {
  const files = empFiles({
    ...empTexts,
    "Redirections.xml":
      "<FileSystem><FolderMatch><From>C:\\x</From><To>..\\y</To></FolderMatch></FileSystem>",
  });
  assert.throws(() => packageOf(files), { code: "E_DESCRIPTOR_INVALID", message: /neither \.\./ });
  assert.throws(() => filesOf(new Map(), shop.replace("id: shop_1", "id: ../x"), "shop"), {
    code: "E_DESCRIPTOR_INVALID",
  });
});
