/**
 * A process with its own handles. Each command and each result is a line of JSON; results come in any order.
 *
 *     worker.ts NAMESPACE SERVERS...
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { MemcachedError, type Session, SessionStore } from "../../mod.ts";

/** What a worker is asked to do; `handle` and `store` are numbers. */
export interface Command {
  readonly n: number;
  readonly op: "open" | "create" | "store" | "pop" | "delete" | "touch";
  readonly store: number;
  readonly handle?: number;
  readonly id?: string;
  /** What "store" changes before it stores. */
  readonly set?: string;
  readonly push?: string;
  readonly ttl?: number;
  readonly regenerate?: boolean;
  readonly destroy?: boolean;
}

/** The result of a command. */
export interface Result {
  readonly n: number;
  /** The result of storeSession, true or false, or "rejected". */
  readonly outcome?: string | boolean;
  readonly id?: string;
  readonly isNew?: boolean;
  /** The names of the fields, and the entries of the list. */
  readonly tokens?: readonly string[];
  /** An error that the faults do not explain. */
  readonly wrong?: string;
}

/** The codes of errors that the faults explain. */
const EXPLAINED = ["SERVER_DOWN", "TIMEOUT", "CONNECTION_LOST", "OVERLOADED", "CONFLICT"];

const SECRETS = ["the first secret of the model", "the second secret of the model"] as const;

interface Fields {
  list?: string[];
  [name: string]: unknown;
}

if (process.argv[1]?.endsWith("worker.ts")) await serve();

async function serve(): Promise<void> {
  const [namespace = "", ...servers] = process.argv.slice(2);
  const stores = (["meta", "classic"] as const).flatMap((protocol) =>
    [[...SECRETS], [...SECRETS].reverse()].map((secret) =>
      new SessionStore<Fields>({
        servers,
        namespace,
        protocol,
        secret,
        timeout: 200,
        connectTimeout: 200,
      })
    )
  );
  const handles = new Map<number, Session<Fields>>();

  async function run(command: Command): Promise<Omit<Result, "n">> {
    const store = stores[command.store % stores.length] as SessionStore<Fields>;
    const { handle = 0, id = "" } = command;
    switch (command.op) {
      case "open":
      case "create": {
        const session = command.op === "open" ? await store.open(id) : store.create();
        handles.set(handle, session);
        return { id: session.id, isNew: session.isNew, tokens: tokensOf(session) };
      }
      case "store": {
        const session = handles.get(handle) as Session<Fields>;
        change(session, command);
        const outcome = await store.storeSession(session).catch(explained);
        return { outcome, id: session.id, isNew: session.isNew, tokens: tokensOf(session) };
      }
      case "pop": {
        const fields = await store.pop(id);
        if (fields === undefined) return { outcome: false };
        const { list = [], ...others } = fields;
        return { outcome: true, tokens: [...Object.keys(others), ...list] };
      }
      case "delete":
        return { outcome: await store.delete(id) };
      case "touch":
        return { outcome: await store.touch(id) };
    }
  }

  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as Command;
    run(command).catch((error) => ({ outcome: explained(error) }))
      .catch((error) => ({ wrong: String((error as Error).stack) }))
      .then((result) => {
        process.stdout.write(`${JSON.stringify({ n: command.n, ...result })}\n`);
      });
  }
  for (const store of stores) await store.close();
}

function change(session: Session<Fields>, command: Command): void {
  if (command.set !== undefined) session.set(command.set, true);
  const { push } = command;
  if (push !== undefined) session.update("list", (list = []) => [...list, push]);
  if (command.ttl !== undefined) session.ttl = command.ttl;
  if (command.regenerate) session.regenerate();
  if (command.destroy) session.destroy();
}

function tokensOf(session: Session<Fields>): string[] {
  const { list = [], ...others } = Object.fromEntries(session.entries()) as Fields;
  return [...Object.keys(others), ...list];
}

/** Returns "rejected" for an error that the faults explain; throws any other error again. */
function explained(error: unknown): "rejected" {
  if (error instanceof MemcachedError && EXPLAINED.includes(error.code)) return "rejected";
  throw error;
}
