import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { discover } from "../../src/discover/discover.ts";
import { requireService } from "../../src/discover/machine-services.ts";
import { maskArguments, maskEnvironment, maskText } from "../../src/discover/mask.ts";
import { recipeOf, type ServiceRecipe } from "../../src/discover/recipe.ts";
import { renderInventory } from "../../src/discover/render.ts";
import { findService, readServices } from "../../src/discover/services.ts";
import { Source } from "../../src/discover/source.ts";
import { elfHeader, type MadeUpTree, memoryMachine } from "../support/memory-machine.ts";

const units = "/lib/systemd/system";
const accounts: MadeUpTree = {
  "/etc/passwd":
    "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\nmysql:x:105:110::/var/lib/mysql:/bin/false\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\n",
  "/etc/group": "root:x:0:\nwww-data:x:33:\nmysql:x:110:\npostgres:x:104:\n",
};

async function recipe(tree: MadeUpTree, name: string): Promise<ServiceRecipe> {
  const machine = memoryMachine({ ...accounts, ...tree });
  return recipeOf(await requireService(machine, name), machine.files);
}

test("apache2 with apachectl becomes the foreground form with envvars sourced", async () => {
  const found = await recipe(
    {
      [`${units}/apache2.service`]:
        "[Service]\nType=forking\nExecStart=/usr/sbin/apachectl start\nExecStop=/usr/sbin/apachectl graceful-stop\n",
      "/usr/sbin/apache2": { bytes: elfHeader(62), mode: 0o755 },
      "/usr/sbin/apachectl": "#!/bin/sh\n",
      "/var/run": "-> /run",
      "/var/lock": "-> /run/lock",
      "/run/lock": { kind: "directory" },
      "/etc/apache2/envvars":
        "unset HOME\nSUFFIX=\nexport APACHE_RUN_USER=www-data\nexport APACHE_RUN_DIR=/var/run/apache2$SUFFIX\nexport APACHE_LOCK_DIR=/var/lock/apache2$SUFFIX\n",
      "/etc/apache2/ports.conf": "Listen 8081\n<IfModule ssl_module>\n  Listen 443\n</IfModule>\n",
    },
    "apache2",
  );
  assert.deepEqual(found.start, [
    "/bin/sh",
    "-c",
    ". /etc/apache2/envvars; exec /usr/sbin/apache2 -DFOREGROUND",
  ]);
  assert.deepEqual(
    [found.type, found.user, found.stop, found.pidFile],
    ["simple", "root", undefined, undefined],
  );
  assert.deepEqual(found.runtimeDirectories, [
    { path: "/run/apache2", mode: 0o755, user: "root", group: "root" },
    { path: "/run/lock/apache2", mode: 0o755, user: "www-data", group: "root" },
  ]);
  assert.deepEqual(found.readiness.ports, [8081]);
  assert.equal(found.hints.length, 1);
});

test("mariadb: install -d becomes a directory, systemctl is left out, unset variables vanish", async () => {
  const found = await recipe(
    {
      [`${units}/mariadb.service`]:
        '[Service]\nType=notify\nUser=mysql\nGroup=mysql\nPermissionsStartOnly=true\nExecStartPre=/usr/bin/install -m 755 -o mysql -g root -d /var/run/mysqld\nExecStartPre=/bin/sh -c "systemctl unset-environment X"\nExecStartPre=/usr/bin/check\nExecStart=/usr/sbin/mariadbd $MYSQLD_OPTS $X\nEnvironment=MYSQLD_OPTS="--a --b"\n',
      "/etc/systemd/system/mysql.service": `-> ${units}/mariadb.service`,
      "/var/run": "-> /run",
      "/run/x": { kind: "directory" },
      "/etc/mysql/my.cnf":
        "[client]\nport=1\nsocket=/no\n[mysqld]\nsocket = /run/mysqld/mysqld.sock\nport=3307\n",
    },
    "mysql",
  );
  assert.deepEqual(
    [found.name, found.start, found.type, found.user],
    ["mariadb", ["/usr/sbin/mariadbd", "--a", "--b"], "simple", "mysql"],
  );
  assert.deepEqual(found.runtimeDirectories, [
    { path: "/run/mysqld", mode: 0o755, user: "mysql", group: "root" },
  ]);
  assert.deepEqual(found.before, [{ command: ["/usr/bin/check"], user: "root", ignoreFailure: false }]);
  assert.match(found.notes[0] ?? "", /speaks to the service manager/);
  assert.deepEqual(found.readiness, { ports: [3307], paths: ["/run/mysqld/mysqld.sock"] });
  assert.equal(found.environment.HOME, "/var/lib/mysql");
});

const cluster: MadeUpTree = {
  [`${units}/postgresql.service`]: "[Service]\nType=oneshot\nExecStart=/bin/true\n",
  [`${units}/postgresql@.service`]:
    "[Service]\nType=forking\nExecStart=-/usr/bin/pg_ctlcluster --skip-systemctl-redirect %i start\nPIDFile=/run/postgresql/%i.pid\n",
  "/etc/postgresql/13/main/postgresql.conf":
    "data_directory = '/var/lib/postgresql/13/main'\nport = 5433 # c\nunix_socket_directories = '/run/postgresql'\nstats_temp_directory = '/run/postgresql/13-main.pg_stat_tmp'\n",
  "/usr/lib/postgresql/13/bin/postgres": { bytes: elfHeader(62), mode: 0o755 },
};

test("postgresql names its one cluster, whose server is started itself", async () => {
  const found = await recipe(cluster, "postgresql");
  assert.equal(found.name, "postgresql@13-main");
  assert.deepEqual(found.start, [
    "/usr/lib/postgresql/13/bin/postgres",
    "-D",
    "/var/lib/postgresql/13/main",
    "-c",
    "config_file=/etc/postgresql/13/main/postgresql.conf",
  ]);
  assert.deepEqual([found.user, found.stopSignal, found.readiness.ports], ["postgres", "SIGINT", [5433]]);
  assert.deepEqual(
    found.runtimeDirectories.map((each) => each.path),
    ["/run/postgresql", "/run/postgresql/13-main.pg_stat_tmp"],
  );
});

test("a cluster with start.conf manual is no service", async () => {
  const machine = memoryMachine({ ...cluster, "/etc/postgresql/13/main/start.conf": "manual\n" });
  const services = await readServices(new Source(machine.files));
  assert.deepEqual(
    services.filter((each) => !each.template).map((each) => each.name),
    ["postgresql"],
  );
});

test("nginx, environment files, drop-ins, RuntimeDirectory, tmpfiles.d, a kill as stop command", async () => {
  const nginx = await recipe(
    {
      [`${units}/nginx.service`]:
        "[Service]\nType=forking\nPIDFile=/run/nginx.pid\nExecStart=/usr/sbin/nginx -g 'daemon on; master_process on;'\n",
    },
    "nginx.service",
  );
  assert.deepEqual(nginx.start, ["/usr/sbin/nginx", "-g", "daemon off; master_process on;"]);
  const app = await recipe(
    {
      [`${units}/app@.service`]:
        "[Service]\nUser=www-data\nEnvironment=A=1\nEnvironmentFile=-/etc/default/app\nExecStart=/opt/app/run --name %i $OPTS\nExecStop=/bin/kill -s QUIT $MAINPID\nRuntimeDirectory=app/%i\nRuntimeDirectoryMode=0750\nPIDFile=app/%i.pid\n",
      "/etc/systemd/system/app@blue.service.d/10.conf": "[Service]\nEnvironment=C=3\n",
      "/etc/systemd/system/multi-user.target.wants/app@blue.service": `-> ${units}/app@.service`,
      "/etc/default/app": 'A=2\nOPTS="-x -y"\n',
      "/usr/lib/tmpfiles.d/app.conf":
        "d /run/app-cache 1777 root root -\nd /var/lib/other 0755 root root -\n",
    },
    "app@blue",
  );
  assert.deepEqual(app.start, ["/opt/app/run", "--name", "blue", "-x", "-y"]);
  assert.deepEqual(
    [app.environment.A, app.environment.C, app.stopSignal, app.stop],
    ["2", "3", "SIGQUIT", undefined],
  );
  assert.deepEqual(app.runtimeDirectories, [
    { path: "/run/app/blue", mode: 0o750, user: "www-data", group: "www-data" },
    { path: "/run/app", mode: 0o755, user: "www-data", group: "www-data" },
    { path: "/run/app-cache", mode: 0o1777, user: "root", group: "root" },
  ]);
});

test("a unit's variables that are unset, directories of its own, stop commands one after the other; the rest is told", async () => {
  const found = await recipe(
    {
      [`${units}/shop.service`]: [
        "[Service]", "User=www-data", "Environment=A=1 B=2 C=3", "UnsetEnvironment=A B=2 C=4 LANG", "ExecStart=/opt/shop", "ExecCondition=/opt/may",
        "ExecStartPost=/opt/after 'one two'", "ExecStartPost=/bin/systemctl reload x", "ExecStop=-/opt/drain", "ExecStop=/opt/stop now",
        "ExecStop=/opt/tell $MAINPID", "ExecStopPost=-/bin/rm -f /tmp/x", "StateDirectory=shop shop/deep", "StateDirectoryMode=0700", "LogsDirectory=shop",
        "CacheDirectory=shop", "LimitMEMLOCK=infinity", "LimitNPROC=4096:8192", "LimitNOFILE=infinity", "LimitSTACK=-1", "MemoryMax=2G", "TasksMax=infinity",
        "CPUQuota=150%", "OOMScoreAdjust=0", "",
      ].join("\n"),
      "/etc/locale.conf": "LANG=C.UTF-8\n",
    },
    "shop",
  ); // biome-ignore format: a unit
  const { A, B, C, LANG } = found.environment;
  assert.deepEqual([A, B, C, LANG], [undefined, undefined, "3", undefined]);
  assert.deepEqual(found.stop, ["/bin/sh", "-c", "set -e\n/opt/drain || true\n/opt/stop now"]);
  assert.deepEqual(found.stateDirectories, ["/var/lib/shop", "/var/lib/shop/deep"]);
  assert.deepEqual(
    found.runtimeDirectories.map(({ path, mode, user }) => [path, mode, user]),
    [
      ["/var/lib/shop", 0o700, "www-data"],
      ["/var/lib/shop/deep", 0o700, "www-data"],
      ["/var/cache/shop", 0o755, "www-data"],
      ["/var/log/shop", 0o755, "www-data"],
    ],
  );
  assert.deepEqual(found.notes, [
    "LimitNOFILE=infinity is not carried over: give run --ulimit nofile=NUMBER",
    "left out, it needs the main process's number: /opt/tell $MAINPID",
    "ExecCondition=/opt/may is not carried over",
    "ExecStartPost=/opt/after one two is not carried over: add a oneshot service after it to the package where the application needs that",
    "ExecStopPost=/bin/rm -f /tmp/x is not carried over",
    "LimitMEMLOCK=infinity is not carried over: give run --ulimit memlock=-1",
    "LimitNPROC=4096:8192 is not carried over: give run --ulimit nproc=4096:8192",
    "LimitSTACK=-1 is not carried over: give run --ulimit stack=-1",
    "MemoryMax=2G is not carried over: give run --memory 2g",
    "CPUQuota=150% is not carried over: give run --cpus 1.5",
  ]);
});

test("an init script is the fallback; a known daemon is started in the foreground", async () => {
  const script = (daemon: string): MadeUpTree => ({
    "/etc/init.d/foo": `#!/bin/sh\n# chkconfig: 345 85 15\nDAEMON=${daemon}\nPIDFILE=/var/run/foo/foo.pid\n`,
  });
  const plain = await recipe(script("/usr/sbin/food"), "foo");
  assert.deepEqual(
    [plain.start, plain.stop, plain.type, plain.pidFile],
    [["/etc/init.d/foo", "start"], ["/etc/init.d/foo", "stop"], "forking", "/var/run/foo/foo.pid"],
  );
  const known = await recipe(
    { ...script("/usr/sbin/sshd"), "/usr/sbin/sshd": { bytes: elfHeader(62) } },
    "foo",
  );
  assert.deepEqual([known.start, known.type], [["/usr/sbin/sshd", "-D"], "simple"]);
});

test("services: masked, alias, loops, unit before script, upstart with its secrets masked", async () => {
  const machine = memoryMachine({
    [`${units}/real.service`]: "[Service]\nExecStart=/bin/real\n[Install]\nWantedBy=x\n",
    [`${units}/gone.service`]: "-> /dev/null",
    [`${units}/a.service`]: `-> ${units}/b.service`,
    [`${units}/b.service`]: `-> ${units}/a.service`,
    "/etc/init.d/real": "#!/bin/sh\n",
    "/etc/init/job.conf": "start on runlevel [2345]\nexec /opt/job --password=topsecret\n",
  });
  const services = await readServices(new Source(machine.files));
  assert.deepEqual(
    services.filter((each) => each.name === "real").map((each) => each.manager),
    ["systemd"],
  );
  assert.equal(findService(services, "gone"), undefined);
  const job = services.find((each) => each.name === "job");
  assert.deepEqual([job?.manager, job?.exec.start], ["upstart", ["/opt/job --password=***"]]);
  await assert.rejects(requireService(machine, "nothing"), (error) =>
    isTranshipError(error, "E_SERVICE_NOT_FOUND"),
  );
  assert.deepEqual((await recipeOf(job ?? assert.fail(), machine.files)).start, [
    "/opt/job",
    "--password=topsecret",
  ]);
});

test("secrets are masked in environments and arguments", () => {
  assert.deepEqual(maskEnvironment({ DB_PASSWORD: "x", PATH: "/bin", URL: "http://u:p@h/" }), {
    DB_PASSWORD: "***",
    PATH: "/bin",
    URL: "http://u:***@h/",
  });
  assert.deepEqual(maskArguments(["p", "--password", "x", "--api-key=y", "-v"]), [
    "p",
    "--password",
    "***",
    "--api-key=***",
    "-v",
  ]);
  assert.equal(maskText("mysql -u root -phunter2 db"), "mysql -u root -p*** db");
});

test("a machine that does not run: system, identity, schedules, users, notes", async () => {
  const inventory = await discover(
    memoryMachine({
      ...accounts,
      "/bin/sh": { bytes: elfHeader(183), mode: 0o755 },
      "/etc/redhat-release": "CentOS release 5.11 (Final)\n",
      "/etc/sysconfig/network": "HOSTNAME=old.corp.example\n",
      "/etc/sysconfig/network-scripts/ifcfg-eth0":
        "IPADDR=192.0.2.7\nNETMASK=255.255.255.0\nHWADDR=00:16:3E:AA:BB:CC\n",
      "/etc/localtime": "-> ../usr/share/zoneinfo/Europe/Paris",
      "/boot/vmlinuz-2.6.18-398.el5": "",
      "/var/spool/cron/root": "0 1 * * * /opt/backup --password=x1y2\n",
      "/etc/cron.daily/rotate": { text: "#!/bin/sh\n", mode: 0o755 },
      "/var/lib/rpm/Packages": "x",
      "/etc/fstab": "fs:/data /data nfs ro 0 0\n/swapfile none swap sw 0 0\n",
      "/etc/crontab": { error: "EACCES" },
      "/etc/profile.d/\x1b[2Jx.sh": "",
    }),
  );
  assert.deepEqual(
    [inventory.os.id, inventory.os.version, inventory.architecture.name],
    ["centos", "5.11", "arm64"],
  );
  assert.deepEqual(
    [inventory.identity.hostname, inventory.identity.domain, inventory.identity.timezone],
    ["old.corp.example", "corp.example", "Europe/Paris"],
  );
  assert.deepEqual(
    [inventory.identity.addresses, inventory.identity.macAddresses],
    [["192.0.2.7"], ["00:16:3e:aa:bb:cc"]],
  );
  assert.deepEqual([inventory.kernel.running, inventory.kernel.installed], [null, ["2.6.18-398.el5"]]);
  assert.deepEqual(
    inventory.schedules.map((each) => [each.kind, each.user, each.command]),
    [
      ["cron", "root", "/opt/backup --password=***"],
      ["directory", "root", "/etc/cron.daily/rotate"],
    ],
  );
  assert.deepEqual([inventory.installed.database, inventory.installed.readable], ["rpm", false]);
  assert.deepEqual(inventory.fileSystems.swaps, ["/swapfile"]);
  assert.ok(inventory.notes.some((note) => note.subject === "/etc/crontab"));
  assert.deepEqual(
    inventory.users.filter((each) => each.login).map((each) => each.name),
    ["root", "postgres"],
  );
  const text = renderInventory(inventory);
  assert.match(text, /CentOS release 5.11/);
  assert.doesNotMatch(text, /\x1b|x1y2/);
});

test("upstart: a script with -e, environment, user, directory, respawn, signal, limits; what forks needs a hint", async () => {
  const job = (text: string): MadeUpTree => ({
    "/etc/init/shop.conf": text,
    "/usr/sbin/named": { bytes: elfHeader(62) },
  });
  const found = await recipe(
    job(`description "the shop"
# a comment
start on (local-filesystems
          and net-device-up IFACE!=lo)
stop on shutdown
respawn
respawn limit 7 60
setuid www-data
setgid mysql
chdir /opt/shop
umask 0027
env HOME=/opt/shop
env GREETING="hello world"
kill signal INT
kill timeout 20
limit nofile 4096 8192
pre-start script
  mkdir -p /run/shop
end script
script
  . /etc/default/shop
  exec /opt/shop/server --port=$PORT
end script
post-stop exec rm -f /run/shop/pid
`),
    "shop",
  );
  assert.deepEqual(found.start.slice(0, 3), ["/bin/sh", "-e", "-c"]);
  assert.match(
    found.start[3] ?? "",
    /^ {2}\. \/etc\/default\/shop\n {2}exec \/opt\/shop\/server --port=\$PORT$/,
  );
  assert.deepEqual(
    found.before.map(({ command, user }) => [command.at(-1), user]),
    [["  mkdir -p /run/shop", "www-data"]],
  );
  const { user, group, workingDirectory, umask, restart, stopSignal, stopTimeout, openFiles, type } = found;
  assert.deepEqual(
    { user, group, workingDirectory, umask, restart, stopSignal, stopTimeout, openFiles, type },
    { user: "www-data", group: "mysql", workingDirectory: "/opt/shop", umask: 0o027, restart: { policy: "always", attempts: 7 },
      stopSignal: "SIGINT", stopTimeout: 20_000, openFiles: 4096, type: "simple" },
  ); // biome-ignore format: short
  assert.deepEqual([found.environment.HOME, found.environment.GREETING], ["/opt/shop", "hello world"]);
  assert.deepEqual(found.notes, ["post-stop of /etc/init/shop.conf is not carried over"]);
  assert.deepEqual((await recipe(job("exec /opt/job a 'b c'\ntask\n"), "shop")).start, [
    "/bin/sh",
    "-e",
    "-c",
    "exec /opt/job a 'b c'",
  ]);
  assert.equal((await recipe(job("exec /opt/job\ntask\n"), "shop")).type, "oneshot");
  const forks = await recipe(job("exec /usr/sbin/named -u bind\nexpect fork\n"), "shop");
  assert.deepEqual([forks.start, forks.hints.length], [["/usr/sbin/named", "-u", "bind", "-f"], 1]);
  const applet = {
    ...job("exec /usr/sbin/httpd -p 80\nexpect fork\n"),
    "/bin/busybox": { bytes: elfHeader(62) },
  };
  const busybox = await recipe({ ...applet, "/usr/sbin/httpd": "-> ../../bin/busybox" }, "shop");
  assert.deepEqual(busybox.start, ["/usr/sbin/httpd", "-p", "80", "-f"]);
  const apache = await recipe({ ...applet, "/usr/sbin/httpd": { bytes: elfHeader(62) } }, "shop");
  assert.deepEqual(apache.start, ["/usr/sbin/httpd", "-p", "80", "-DFOREGROUND"]);
  await assert.rejects(recipe(job("exec /opt/unknown -c /etc/x\nexpect fork\n"), "shop"), (error) => {
    assert.ok(isTranshipError(error, "E_SERVICE_NOT_FOUND"));
    assert.match(error.message, /expect fork/);
    assert.match(error.hint ?? "", /after -- what \/opt\/unknown -c \/etc\/x starts, .*foreground/);
    return true;
  });
  for (const text of [
    "exec /opt/unknown\nexpect daemon\n",
    "exec /opt/x $TTY\ninstance $TTY\n",
    "start on startup\n",
  ])
    await assert.rejects(
      recipe(job(text), "shop"),
      (error) => isTranshipError(error, "E_SERVICE_NOT_FOUND"),
      text,
    );
});

test("inittab, supervisor, runit, inetd and xinetd have recipes with their manager's rules", async () => {
  const inittab = {
    "/etc/inittab":
      "id:3:initdefault:\nap:2345:respawn:/opt/app/server -c /etc/app.conf >>/var/log/app 2>&1\nwt:3:wait:/opt/once\n1:23:respawn:/sbin/getty tty1\n",
  };
  const respawn = await recipe(inittab, "ap");
  assert.deepEqual(respawn.start, [
    "/bin/sh",
    "-c",
    "exec /opt/app/server -c /etc/app.conf >>/var/log/app 2>&1",
  ]);
  assert.deepEqual([respawn.restart, respawn.environment.RUNLEVEL], [{ policy: "always" }, "2"]);
  const once = await recipe(inittab, "wt");
  assert.deepEqual([once.start, once.type, once.restart], [["/opt/once"], "oneshot", undefined]);
  const supervised = await recipe(
    {
      "/etc/supervisor/conf.d/web.conf": `[program:web]
command=gunicorn shop:app -b 0.0.0.0:8000 --name %(program_name)s ; the web part
directory=/srv/shop
user=www-data
environment=LANG="C.UTF-8",SECRET='a,b',N=1
autorestart=unexpected
startretries=4
stopsignal=QUIT
stopwaitsecs=15
umask=022
`,
      "/usr/bin/gunicorn": "#!/usr/bin/python3\n",
    },
    "web",
  );
  assert.deepEqual(supervised.start, [
    "/usr/bin/gunicorn",
    "shop:app",
    "-b",
    "0.0.0.0:8000",
    "--name",
    "web",
  ]);
  assert.deepEqual(
    [supervised.user, supervised.workingDirectory, supervised.restart, supervised.stopSignal, supervised.stopTimeout, supervised.umask],
    ["www-data", "/srv/shop", { policy: "on-failure", attempts: 4 }, "SIGQUIT", 15_000, 0o022],
  ); // biome-ignore format: short
  const { LANG, SECRET, N } = supervised.environment;
  assert.deepEqual([LANG, SECRET, N], ["C.UTF-8", "a,b", "1"]);
  const run = await recipe(
    { "/etc/sv/app/run": "#!/bin/sh\nexec ./app\n", "/etc/service/app": "-> /etc/sv/app" },
    "app",
  );
  assert.match(run.start[0] ?? "", /\/app\/run$/);
  assert.deepEqual(
    [run.workingDirectory, run.restart],
    [(run.start[0] ?? "").replace("/run", ""), { policy: "always" }],
  );
  const services = { "/etc/services": "finger 79/tcp\n" };
  const inetd = await recipe(
    { ...services, "/etc/inetd.conf": "# comment\nfinger stream tcp nowait nobody /usr/sbin/tcpd /usr/sbin/in.fingerd\n#<off># time stream tcp nowait root internal\n", "/usr/sbin/inetd": { bytes: elfHeader(62) } },
    "finger",
  ); // biome-ignore format: short
  assert.deepEqual([inetd.start, inetd.readiness.ports], [["/usr/sbin/inetd", "-i"], [79]]);
  const xinetd = await recipe(
    { "/etc/xinetd.d/quote": "service quote\n{\n  type = UNLISTED\n  port = 1717\n  socket_type = stream\n  protocol = tcp\n  wait = no\n  user = nobody\n  server = /opt/quote\n}\n", "/usr/sbin/xinetd": { bytes: elfHeader(62) } },
    "quote",
  ); // biome-ignore format: short
  assert.deepEqual([xinetd.start, xinetd.readiness.ports], [["/usr/sbin/xinetd", "-dontfork"], [1717]]);
  await assert.rejects(
    recipe({ "/etc/inetd.conf": "finger stream tcp nowait nobody /usr/sbin/tcpd x\n" }, "finger"),
    (error) => isTranshipError(error, "E_SERVICE_NOT_FOUND"),
  );
});

test("a unit's rules of restart, its times and its limit of open files are carried over", async () => {
  const found = await recipe(
    { [`${units}/shop.service`]: "[Service]\nExecStart=/opt/shop\nRestart=on-failure\nRestartSec=1min 30s\nTimeoutStopSec=90\nTimeoutStartSec=infinity\nLimitNOFILE=65536:524288\n" },
    "shop",
  ); // biome-ignore format: short
  assert.deepEqual(
    [found.restart, found.stopTimeout, found.startTimeout, found.openFiles],
    [{ policy: "on-failure", backoff: 90_000 }, 90_000, undefined, 65_536],
  );
});

test("rc.local is a service with what it starts: systemd's where its unit is there, else one of the run levels", async () => {
  const text =
    "#!/bin/sh -e\n# comment\nLANG=C\nif [ -x /opt/a ]; then\n  /opt/a --port 1 \\\n    -d\nfi\nsu - shop -c 'node /srv/b.js' &\nexit 0\n";
  const script: MadeUpTree = { "/etc/rc.local": { text, mode: 0o755 } };
  const unit: MadeUpTree = {
    [`${units}/rc-local.service`]: "[Service]\nType=forking\nExecStart=/etc/rc.local start\n",
  };
  const starts = ["/etc/rc.local start", "/opt/a --port 1      -d", "su - shop -c 'node /srv/b.js' &"];
  const facts = async (tree: MadeUpTree) => {
    const services = await readServices(new Source(memoryMachine(tree).files));
    return services.map((one) => ({
      name: one.name,
      state: one.state,
      by: one.enabledBy,
      starts: one.exec.start,
    }));
  };
  assert.deepEqual(await facts({ ...script, ...unit }), [
    { name: "rc-local", state: "enabled", by: ["/etc/rc.local"], starts },
  ]);
  assert.deepEqual(await facts(script), [
    { name: "rc.local", state: "enabled", by: ["/etc/rc.local"], starts },
  ]);
  const [left] = await facts({
    ...script,
    "/usr/lib/systemd/systemd": { bytes: elfHeader(62), mode: 0o755 },
  });
  assert.equal(left?.state, "disabled");
  assert.deepEqual(await facts({ "/etc/rc.local": { text, mode: 0o644 }, ...unit }), [
    { name: "rc-local", state: "static", by: [], starts: ["/etc/rc.local start"] },
  ]);
  assert.deepEqual(await facts({ "/etc/rc.local": { text: "#!/bin/sh\nexit 0\n", mode: 0o755 } }), []);
  const shown = renderInventory(await discover(memoryMachine({ ...script, ...unit })));
  assert.match(shown, /rc-local +systemd +enabled .*\/opt\/a --port 1/);
});
