/**
 * Kills the servers of a test process that was itself killed and could not do it.
 *
 * A shell waits for its standard input to end, which it does when this process is gone, however it
 * went; then it kills what is left. One for each process that starts servers, from the first one on.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

const SCRIPT = `
trap '' INT TERM HUP
pids=' '
while read -r what pid; do
  case $what in
  watch) pids="$pids$pid " ;;
  forget) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
case $pids in *[0-9]*) kill -KILL $pids ;; esac
`;

let shell: ChildProcess | undefined;

/** From now on the process does not outlive this one. */
export function watch(pid: number): void {
  if (shell === undefined) {
    // In a group of its own, so that a signal to this process's group leaves it to its work.
    shell = spawn("/bin/sh", ["-c", SCRIPT], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    shell.on("error", () => {}); // no shell, no watchdog
    shell.stdin?.on("error", () => {});
    shell.unref();
    (shell.stdin as Socket | null)?.unref?.();
  }
  shell.stdin?.write(`watch ${pid}\n`);
}

/** The process has ended; its number may be another's soon. */
export function forget(pid: number): void {
  shell?.stdin?.write(`forget ${pid}\n`);
}
