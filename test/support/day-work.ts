// What six old applications do on their day: how each is loaded by its own client, what it is to keep from hour to hour, how its logs are rotated.
import { crc32 } from "node:zlib";

export interface DayWork {
  /** A directory of test/apps. */
  name: string;
  service: string;
  port: number;
  memory: string;
  /** Run beside it, as the behaviour script: seconds of work by its own client. */
  load: string;
  /** Leaves the mark of an hour, in its data; prints nothing. */
  mark(hour: number): string;
  /** Prints the marks that are there, one line each: "hour N". */
  marks: string;
  /** Whether the marks lie in volumes, and so are there for another instance with these. */
  inVolumes: boolean;
  /** Whether logrotate has a rule for it. */
  rotates: boolean;
  /** The file that is rotated and that it writes to afterwards; undefined: none on a machine without a journal. */
  log: string | undefined;
  /** Makes a line in that log. */
  logged?: string;
  /** What it ends with when it is stopped; 0 unless said. */
  stopStatus?: number;
  /** An answer whose lines come in an order that is another after each start. */
  unordered?: string;
  /** What counts sessions or runs in an answer, and is another after a day. */
  counted?: RegExp;
}

const hours = "1 2 3 4 5 6 7";

export const dayWorks: readonly DayWork[] = [
  {
    name: "nginx",
    service: "nginx",
    port: 80,
    memory: "128m",
    load: 'curl -sS -o /dev/null "http://127.0.0.1/fourth.html?[1-1500]"; curl -sSk -o /dev/null "https://127.0.0.1/index.html?[1-300]"',
    // Its data are its logs: what was asked in an hour is found in one of them, rotated or not.
    mark: (hour) => `curl -sS -o /dev/null http://127.0.0.1/hour-${hour}-`,
    marks: "",
    inVolumes: false,
    rotates: true,
    log: "/var/log/nginx/access.log",
    logged: "curl -sS -o /dev/null http://127.0.0.1/after-rotation",
  },
  {
    name: "redis",
    service: "redis-server",
    port: 6379,
    memory: "128m",
    load: "redis-benchmark --dbnum 5 -q -n 20000 -t set,get,lpush,lpop,incr",
    mark: (hour) => `redis-cli -n 3 set hour:${hour} ${hour}`,
    marks: "redis-cli -n 3 keys 'hour:*' | tr : ' '",
    inVolumes: true,
    rotates: true,
    log: "/var/log/redis/redis-server.log",
    logged: "redis-cli bgsave; sleep 2",
    counted: /background saving|Background saving/gi,
  },
  {
    name: "postgresql",
    service: "postgresql@13-main",
    port: 5432,
    memory: "400m",
    load: `su postgres -c 'psql -qXc "SELECT 1 FROM pgbench_branches" postgres || pgbench -q -i -s 2 postgres'
su postgres -c 'pgbench -n -c 4 -T 5 postgres'`,
    mark: (hour) =>
      `su postgres -c "psql -qX postgres" <<< 'CREATE TABLE IF NOT EXISTS day (hour int PRIMARY KEY); INSERT INTO day VALUES (${hour});'`,
    marks: `su postgres -c "psql -qXAt postgres" <<< "SELECT 'hour ' || hour FROM day"`,
    inVolumes: true,
    rotates: true,
    // In the package its server runs in the foreground, and the instance keeps what it says: the rule finds nothing.
    log: undefined,
  },
  {
    name: "mariadb",
    service: "mariadb",
    port: 3306,
    memory: "640m",
    load: "mysqlslap --silent --auto-generate-sql --auto-generate-sql-load-type=mixed --concurrency=4 --number-of-queries=1500 --create-schema=slap",
    mark: (hour) =>
      `mariadb <<< 'CREATE DATABASE IF NOT EXISTS day; CREATE TABLE IF NOT EXISTS day.hours (hour INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO day.hours VALUES (${hour})'`,
    marks: `mariadb -N <<< "SELECT CONCAT('hour ', hour) FROM day.hours"`,
    inVolumes: true,
    rotates: true,
    // Its error log goes to the journal there: the rule finds nothing.
    log: undefined,
  },
  {
    name: "tomcat",
    service: "tomcat9",
    port: 8080,
    memory: "1g",
    load: 'curl -sS -o /dev/null "http://127.0.0.1:8080/harbour/first.jsp?[1-300]" -o /dev/null "http://127.0.0.1:8080/harbour/index.html?[1-300]"',
    // A war a hour, by the manager.
    mark: (hour) =>
      `base64 -d >/tmp/hour.war <<< ${war(`hour ${hour}\n`)}; curl -sS -u keeper:lamp -T /tmp/hour.war "http://127.0.0.1:8080/manager/text/deploy?path=/hour${hour}" | grep -q ^OK`,
    marks: `for hour in ${hours}; do curl -sS "http://127.0.0.1:8080/hour$hour/hour.txt" | grep '^hour' || true; done`,
    inVolumes: true,
    // The rule of its package is for what rsyslog makes of its output, and no package has that.
    rotates: false,
    log: undefined,
    // As every Java that is told to end.
    stopStatus: 143,
    unordered: "manager-list",
    counted: /(?<=:running:)\d+/g,
  },
  {
    name: "bind9",
    service: "named",
    port: 53,
    memory: "128m",
    load: "for one in $(seq 1500); do echo berth-$((one % 90 + 1)).harbour.example A; done >/tmp/asked; dig @127.0.0.1 +short -f /tmp/asked | wc -l",
    mark: (hour) =>
      `printf 'server 127.0.0.1\\nzone harbour.example\\nupdate add hour${hour}.harbour.example 60 TXT "hour ${hour}"\\nsend\\n' | nsupdate -y hmac-sha256:keeper:bGFtcCBsYW1wIGxhbXAgbGFtcA==`,
    marks: `for hour in ${hours}; do dig @127.0.0.1 +short hour$hour.harbour.example TXT | tr -d '"'; done`,
    inVolumes: false,
    rotates: false,
    log: undefined,
  },
];

/** A web archive with one file, in base64: a zip with its content as it is. */
function war(text: string): string {
  const [name, content] = [Buffer.from("hour.txt"), Buffer.from(text)];
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(0x5a21, 8); // 2025-01-01
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(content.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, content]);
  const central = Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, Buffer.alloc(14), name]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from("PK\x05\x06"), end]).toString("base64");
}
