/**
 * Stores sessions while Object.prototype has setters for their fields, or is frozen, and prints what went
 * wrong.
 *
 *     prototypes_child.ts SERVER setters|frozen
 */
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { SessionStore } from "../../mod.ts";

const [server = "", how] = process.argv.slice(2);
const NAMES = ["user", "cart", "constructor", "toString", "valueOf", "__proto__", "0"];
const wrong: string[] = [];

const store = new SessionStore<Record<string, unknown>>({ servers: server });
const warm = store.create().set("user", 1);
await store.storeSession(warm);
if (how === "frozen") Object.freeze(Object.prototype);
else {
  // Not "0": every push into an empty array would run a setter of that name, even in Node's own code.
  for (const name of NAMES.filter((name) => name !== "0" && name !== "__proto__")) {
    Object.defineProperty(Object.prototype, name, {
      get: Object.getOwnPropertyDescriptor(Object.prototype, name)?.value === undefined
        ? () => undefined
        : ((value) => () => value)((Object.prototype as unknown as Record<string, unknown>)[name]),
      set: () => wrong.push(`the setter of ${name} was run`),
      configurable: true,
    });
  }
}

function expect(what: string, is: unknown, right: unknown): void {
  if (!isDeepStrictEqual(is, right)) wrong.push(`${what}: ${String(is)}`);
}

for (const name of NAMES) {
  const session = store.create();
  session.set(name, { a: 1 });
  expect(`${name} set`, session.get(name), { a: 1 });
  expect(`${name} stored`, await store.storeSession(session), "stored");
  const [one, other] = [await store.open(session.id), await store.open(session.id)];
  expect(`${name} opened`, [...one.entries()], [[name, { a: 1 }]]);
  one.update(name, () => ({ a: 2 }));
  other.set("beside", 1);
  expect(`${name} updated`, await store.storeSession(one), "stored");
  expect(`${name} merged`, await store.storeSession(other), "stored");
  const last = await store.open(session.id);
  expect(`${name} after both`, [last.get(name), last.get("beside")], [{ a: 2 }, 1]);
  last.regenerate();
  expect(`${name} moved`, await store.storeSession(last), "stored");
  const found = await store.pop(last.id) as object;
  expect(`${name} popped`, Object.getOwnPropertyNames(found).sort(), [name, "beside"].sort());
}
await store.close();
console.log(JSON.stringify(wrong));
