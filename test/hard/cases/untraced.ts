// Hard cases of what nobody used while the program was watched: it works all the same, or is told as reachable and not packed.
import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { basename, join } from "node:path";
import type { HardCase } from "../../support/hard-case.ts";

const emptied = (path: string): string => `mkdir -p $(dirname ${path}); touch ${path}`;

/** A module of which the program still says that it is there, as long as nobody uses it. */
const python = `import decimal, urllib.request, csv, datetime, zoneinfo
print(decimal.Decimal(1) / 3, datetime.datetime(2021, 7, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo")).utcoffset())`;

export const untracedCases: readonly HardCase[] = [
  {
    name: "web",
    title: "pages that nobody asked for",
    command: ["/usr/bin/web"],
    closureOnly: true,
    machine: (machine) => {
      machine.shell(`cp $SOURCES/web.sh usr/bin/web; chmod 755 usr/bin/web; mkdir -p usr/sbin var/log/nginx var/lib/nginx srv/pages/sub
        cp /usr/sbin/nginx usr/sbin; cd srv/pages; for i in one two three four sub/five; do echo "page $i" >$i.html; done`);
      machine.libraries(join(machine.root, "usr/sbin/nginx"));
      machine.text({
        "etc/hard/nginx.conf": `user web;\npid /tmp/nginx.pid;\nerror_log /var/log/nginx/error.log;\nevents {}\nhttp {
  access_log off;\n  server {\n    listen 127.0.0.1:8099;\n    root /srv/pages;\n  }\n}\n`,
      });
      machine.shell("rm -f bin/wget; ln -s busybox bin/wget; ln -sf busybox bin/seq");
    },
    unwatched: [["/usr/bin/web", "all"]],
    doctored: [
      {
        what: "a page without its content",
        layer: emptied("srv/pages/four.html"),
        says: /error: \/srv\/pages\/four.html had 10 bytes and has 0/,
        programPasses: true,
      },
    ],
  },
  {
    name: "python",
    title: "modules and time zones that were not loaded",
    command: ["/usr/bin/python3.11", "-c", "import json; print(json.dumps({'a': 1}))"],
    closureOnly: true,
    machine: (machine) => {
      machine.shell(`mkdir -p usr/lib/python3.11 usr/share/zoneinfo/Asia; cp /usr/bin/python3.11 usr/bin
        tar -C /usr/lib/python3.11 --exclude=__pycache__ --exclude=test --exclude=idlelib --exclude=tkinter --exclude='config-*' -cf - . |
          tar -C usr/lib/python3.11 -xf -
        cp /usr/share/zoneinfo/Asia/Tokyo usr/share/zoneinfo/Asia; rm -f usr/lib/python3.11/sitecustomize.py`);
      machine.libraries(join(machine.root, "usr/bin/python3.11"));
      machine.libraries("/usr/lib/python3.11/lib-dynload/_decimal.cpython-311-x86_64-linux-gnu.so");
      machine.libraries("/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so");
    },
    unwatched: [["/usr/bin/python3.11", "-c", python]],
    doctored: [
      {
        what: "a module without its content",
        layer: emptied("usr/lib/python3.11/decimal.py"),
        says: /error: \/usr\/lib\/python3.11\/decimal.py had \d+ bytes and has 0/,
        programPasses: true,
      },
    ],
  },
  {
    name: "php",
    title: "an extension that was not loaded",
    command: ["/usr/bin/php", "-r", 'echo strlen("lamp"), "\\n";'],
    closureOnly: true,
    machine: (machine) => {
      const php = realpathSync("/usr/bin/php");
      machine.shell(
        `cp ${php} usr/bin; ln -s ${basename(php)} usr/bin/php; mkdir -p usr/lib; cp -a /usr/lib/php usr/lib`,
      );
      machine.libraries(php);
      const extensions = execFileSync("find", ["/usr/lib/php", "-name", "mbstring.so"], { encoding: "utf8" });
      machine.libraries(extensions.trim());
    },
    unwatched: [
      ["/usr/bin/php", "-d", "extension=mbstring", "-r", 'echo mb_strtoupper("phare à l\'été"), "\\n";'],
    ],
    doctored: [
      {
        what: "an extension without its content",
        layer:
          "cd $MACHINE; file=$(find usr/lib/php -name mbstring.so); cd - >/dev/null; mkdir -p $(dirname $file); touch $file",
        says: /error: \/usr\/lib\/php\/\d+\/mbstring.so had \d+ bytes and has 0/,
        programPasses: true,
      },
    ],
  },
  {
    name: "plugins",
    title: "a second plug-in",
    closureOnly: true,
    machine: (machine) =>
      machine.shell(`mkdir -p usr/lib/hard/plugins; for name in one two; do
          gcc -shared -fPIC -DPLUGIN="\\"this is $name\\"" -o usr/lib/hard/plugins/$name.so $SOURCES/plugins.c; done`),
    unwatched: [["/usr/bin/plugins", "two"]],
    doctored: [
      {
        what: "a plug-in that is gone",
        layer: "mkdir -p usr/lib/hard/plugins; touch usr/lib/hard/plugins/.wh.two.so",
        says: /error: \/usr\/lib\/hard\/plugins\/two.so was packed and is gone/,
        programPasses: true,
      },
    ],
  },
];
