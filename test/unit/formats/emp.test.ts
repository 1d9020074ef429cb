import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeTextFile, encodeTextFile } from "../../../src/formats/emp/encoding.ts";
import { readFolder, writeFolder } from "../../../src/formats/emp/folder.ts";
import { lintFolder } from "../../../src/formats/emp/lint.ts";
import { joinArguments, splitArguments } from "../../../src/formats/emp/run-conditions.ts";
import { parseXml } from "../../../src/formats/emp/xml.ts";
import { empFiles, empTexts } from "../../support/emp.ts";

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

test("every file of the guide is read, its contradictions too", () => {
  const folder = readFolder(empFiles());
  assert.equal(folder.metadata?.packageId, "Acme_1234");
  assert.deepEqual(folder.redirections?.files, [
    { kind: "ExactMatch", from: "%SystemX86%\\tool.msc", to: "ProgData\\Windows\\SysWOW64\\tool.msc" },
    { kind: "FolderMatch", from: "%ProgramFiles%\\Acme", to: "ProgData\\Program Files\\Acme" },
    { kind: "FolderMatch", from: "D:\\", to: "ProgData" },
  ]);
  assert.deepEqual(folder.redirections?.keys, [{ from: "HKLM\\SOFTWARE\\Acme" }]);
  assert.deepEqual(
    folder.engine?.classes.map(({ id, excluded }) => [id, excluded]),
    [["{1}", "false"], ["{2}", "true"]],
  ); // biome-ignore format: short
  assert.deepEqual(folder.engine?.connects, [
    { fromIp: "192.168.2.1", fromPort: "13000", toIp: "127.0.0.1", toPort: "12000" },
  ]);
  assert.deepEqual(folder.engine?.names, [{ from: "old-db", to: "new-db" }]);
  assert.deepEqual(
    folder.deployment?.install.map((one) => one.path),
    ["Powershell.exe", "%DefaultDir%\\ProgData\\Program Files\\Acme\\setup.exe"],
  );
  assert.equal(folder.services?.services[0]?.description, "Bills & more");
  assert.equal(folder.associations?.writes.length, 2, "FileAssociation.xml is FileAssociations.xml");
  assert.deepEqual(folder.report, [
    { level: "Warn", category: "COM+", message: "roles are not carried over" },
  ]);
});

test("names are found without regard to case, and two of one name are refused", () => {
  const files = new Map([["programs.XML", Buffer.from("<Programs/>")]]);
  assert.deepEqual(readFolder(files).programs, { programs: [] });
  files.set("Programs.xml", Buffer.from("<Programs/>"));
  assert.throws(() => readFolder(files), {
    code: "E_EMP_INVALID",
    message: /programs\.XML and Programs\.xml/,
  });
});

test("nothing changed: nothing is written", () => {
  assert.equal(writeFolder(empFiles(), readFolder(empFiles())).size, 0);
});

test("a change touches only its bytes", () => {
  for (const eol of ["\n", "\r\n"]) {
    const texts = Object.fromEntries(Object.entries(empTexts).map(([k, v]) => [k, v.replaceAll("\n", eol)]));
    const files = empFiles(texts);
    const folder = readFolder(files);
    const [service] = folder.services?.services ?? [];
    const { engine, programs, metadata } = folder;
    assert.ok(service && engine && programs && metadata);
    service.timeout = "1000";
    service.description = "A & B";
    engine.excludes.push({ program: "Winword.exe" });
    engine.features.shift();
    engine.log = "Verbose";
    programs.programs.splice(1, 0, { runCondition: "run2", path: "x", wait: "Exit", waitTimeout: "3" });
    metadata.version = "2.2";
    const written = writeFolder(files, folder);
    assert.deepEqual([...written.keys()].sort(), [
      "Compatibility.Package.Engine.clc", "Programs.xml", "Services.xml", "_metadata.json",
    ]); // biome-ignore format: short
    assert.equal(
      text(written.get("Services.xml")),
      (texts["Services.xml"] ?? "").replace("300000", "1000").replace("Bills &amp; more", "A &amp; B"),
    );
    assert.equal(
      text(written.get("Compatibility.Package.Engine.clc")),
      (texts["Compatibility.Package.Engine.clc"] ?? "")
        .replace("<Exclude>Excel.exe</Exclude>", "<Exclude>Excel.exe</Exclude><Exclude>Winword.exe</Exclude>")
        .replace("<Feature>NetworkRedirection</Feature>", "")
        .replace('"off"', '"Verbose"'),
    );
    assert.equal(text(written.get("_metadata.json")), (texts["_metadata.json"] ?? "").replace("2.1", "2.2"));
    const again = readFolder(new Map([...files, ...written]));
    assert.deepEqual(again, folder);
  }
});

test("a new element looks like its neighbours", () => {
  const files = empFiles({
    "Programs.xml": "<Programs>\n\t<Program>\n\t\t<Path>a</Path>\n\t</Program>\n</Programs>",
  });
  const folder = readFolder(files);
  folder.programs?.programs.push({ path: "b", wait: "Exit", waitTimeout: "0" });
  assert.equal(
    text(writeFolder(files, folder).get("Programs.xml")),
    '<Programs>\n\t<Program>\n\t\t<Path>a</Path>\n\t</Program>\n\t<Program>\n\t\t<Path>b</Path>\n\t\t<WaitCondition TimeoutInSeconds="0">Exit</WaitCondition>\n\t</Program>\n</Programs>',
  );
});

test("what is not allowed is refused with its place", () => {
  const refused: [string, RegExp][] = [
    ['<!DOCTYPE a [<!ENTITY x "y">]><a/>', /line 1, column 1: has a document type/],
    ["<a>\n  &x;</a>", /line 2, column 3: has &x;/],
    ["<a>&#0;</a>", /&#0;/],
    ["<a>&#xFFFFFF;</a>", /&#xFFFFFF;/],
    ["<a b='1' b='2'/>", /attribute b twice/],
    ["<a><b></a>", /column 7: has <\/a> where <b> is open/],
    ["<a", /a tag that does not end/],
    ["<a>", /never closed/],
    ["<a/><b/>", /2 elements at its top/],
    ["", /no element/],
    ["<a>\x01</a>", /character that XML does not allow/],
    ["<a><!-- -- --></a>", /-- inside/],
    ["x<a/>", /text outside/],
    ["<a b=1/>", /no quote/],
    ["<a><![CDATA[x</a>", /section that does not end/],
    [" <?xml version='1.0'?><a/>", /behind its beginning/],
  ];
  for (const [source, message] of refused)
    assert.throws(() => parseXml(source, { name: "x.xml" }), { code: "E_EMP_INVALID", message }, source);
  assert.throws(() => parseXml("<a>".repeat(102), { name: "x.xml" }), { code: "E_LIMIT" });
  assert.throws(() => parseXml(`<a>${"<b/>".repeat(500_001)}</a>`, { name: "x.xml" }), { code: "E_LIMIT" });
});

test("encodings come back to the byte", () => {
  const body = "<Programs><Program><Path>ä€</Path></Program></Programs>";
  const utf16 = Buffer.from(`\ufeff${body}`, "utf16le");
  const forms = [
    Buffer.from(body),
    Buffer.from(`\ufeff${body}`),
    utf16,
    Buffer.from(utf16).swap16(),
    Buffer.from(`<?xml version="1.0" encoding="windows-1252"?>${body}`.replace("ä€", "\xe4\x80"), "latin1"),
  ];
  for (const bytes of forms) {
    const decoded = decodeTextFile(bytes, "Programs.xml");
    assert.deepEqual(Buffer.from(encodeTextFile(decoded)), bytes);
    const folder = readFolder(new Map([["Programs.xml", bytes]]));
    assert.equal(folder.programs?.programs[0]?.path, "ä€");
    const changed = { programs: { programs: [{ path: "ä€ω" }] } };
    const written = writeFolder(new Map([["Programs.xml", bytes]]), changed);
    assert.deepEqual(readFolder(written).programs, changed.programs);
  }
  assert.throws(() => decodeTextFile(Buffer.from([0x3c, 0xff]), "x"), { code: "E_EMP_INVALID" });
  assert.throws(() => decodeTextFile(Buffer.from('<?xml encoding="shift_jis"?>'), "x"), {
    message: /shift_jis/,
  });
  assert.throws(() => decodeTextFile(Buffer.alloc((16 << 20) + 1), "x"), { code: "E_LIMIT" });
});

test("words of Windows command lines", () => {
  assert.deepEqual(splitArguments('/f "a b\\\\" c\\d "e\\"f" g""h'), ["/f", "a b\\", "c\\d", 'e"f', "gh"]);
  for (const words of [["a b", "", 'q"', "end\\", 'x\\"y', "a\\\\ b\\"]])
    assert.deepEqual(splitArguments(joinArguments(words)), words);
});

test("lint: a folder as it should be, and what is wrong", () => {
  const has = (path: string): boolean => path.startsWith("ProgData/");
  const ids = (texts: Record<string, string>): string[] =>
    lintFolder(empFiles({ ...empTexts, ...texts }), has).map(
      (one) => `${one.id} ${one.file}:${one.line ?? ""}`,
    );
  assert.deepEqual(ids({}), []);
  const changed = (name: string, from: string, to: string): Record<string, string> => ({
    [name]: (empTexts[name] ?? "").replace(from, to),
  });
  assert.deepEqual(ids(changed("_metadata.json", "Acme_1234", "../x")), ["package-id _metadata.json:"]);
  assert.deepEqual(ids(changed("Services.xml", "run5", "run9")), ["run-condition-dangling Services.xml:1"]);
  assert.deepEqual(ids(changed("Programs.xml", ">run5", ">run1")), [
    "run-condition-twice Programs.xml:9",
    "run-condition-dangling Services.xml:1",
  ]);
  assert.deepEqual(ids(changed("Redirections.xml", "<To>ProgData<", "<To>..\\x<")), [
    "rule-escapes Redirections.xml:5",
  ]);
  assert.deepEqual(ids(changed("Programs.xml", "ProgData\\Program Files\\Acme\\acme.exe", "none.exe")), [
    "program-missing Programs.xml:1",
  ]);
  const clc = "Compatibility.Package.Engine.clc";
  assert.deepEqual(ids(changed(clc, "<Features>", "<Features/><Features>")), [`features-twice ${clc}:8`]);
  assert.deepEqual(ids(changed(clc, "NetworkRedirection", "DEPOptOut")), [`feature-off ${clc}:`]);
  assert.deepEqual(ids(changed(clc, "new-db", "a-name-that-is-too-long")), [`network-name ${clc}:`]);
});
