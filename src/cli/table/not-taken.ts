// Flags of docker run that `run` and `create` do not take, and why: who knows docker tries them.
export const notTakenOfDocker: Readonly<Record<string, string>> = {
  "--annotation":
    "nothing of a command line or an image reaches the OCI runtime by itself; --label is kept and shown",
  "--attach": "in the foreground all streams are shown; `tranship attach` shows those of one that runs",
  "--cgroup-parent":
    "the control groups of instances are below tranship/, where they are found and cleared away",
  "--cgroupns": "each instance has a cgroup namespace of its own",
  "--cpu-period": "give the share of time as --cpus",
  "--cpu-quota": "give the share of time as --cpus",
  "--detach-keys": "give it to `tranship attach` or `tranship start -i`",
  "--device-cgroup-rule": "name the devices with --device",
  "--dns-option": "give --dns and --dns-search, or a resolv.conf of your own with -v FILE:/etc/resolv.conf",
  "--expose": "name the port with -p, or in the package's descriptor",
  "--gpus": "name the devices with --device, and their libraries with -v",
  "--ipc": "each instance has an ipc namespace of its own; --shm-size is how large its shared memory is",
  "--link": "instances of a network find each other by their names: tranship network create",
  "--log-driver": "init keeps the logs: --log-opt says when they are rotated, `tranship logs` prints them",
  "--memory-swappiness": "the kernel no longer has it by group; --memory-swap bounds what is swapped",
  "--oom-kill-disable": "an instance at its limit would stand still; --oom-score-adj says who goes first",
  "--pid": "each instance has a pid namespace of its own; `tranship top` shows its processes to the host",
  "--platform": "programs run as what they are; `tranship pull --platform` fetches another one",
  "--runtime": "the variable TRANSHIP_RUNTIME names the OCI runtime: crun or runc",
  "--sig-proxy": "signals always go on to the program",
  "--stop-grace-period": "give --stop-timeout",
  "--uts": "each instance has a host name of its own: --hostname",
  "--volume-driver": "volumes are directories of this host",
};
