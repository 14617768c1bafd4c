/**
 * The walk through the shop. It prints and checks each step.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, SessionStore } from "../../../mod.ts";
import type { NamedServer } from "./servers.ts";
import type { Application } from "./start_application.ts";
import { type Told, Visitor } from "./visitor.ts";

/** Walks visitors through the shop. Throws if something is not as it should be. */
export async function walk(
  servers: readonly NamedServer[],
  [one, two]: readonly [Application, Application],
): Promise<void> {
  const client = new Memcached(servers.map(({ address }) => address));
  const store = new SessionStore({ client });
  const serverOf = (visitor: Visitor): NamedServer => {
    assert.ok(visitor.cookie !== undefined, `${visitor.name} has no session`);
    const { address } = client.serverFor(store.mcKey(visitor.cookie));
    return servers.find((server) => server.address === address) as NamedServer;
  };
  const tellServers = async (): Promise<void> => {
    const held = await Promise.all(servers.map(async ({ name, address, runs }) => {
      if (!runs) return `${name} is stopped`;
      await using one = new Memcached(address);
      const [stats] = [...(await one.stats()).values()];
      return `${name} holds ${stats?.["curr_items"]}`;
    }));
    note(`Sessions: ${held.join(", ")}.`);
  };

  step("Ada logs in on application one.");
  const ada = new Visitor("Ada");
  expect(await ada.login(one), 200, "Ada");
  note(`Her session lies on server ${serverOf(ada).name}: the session's id decides which.`);
  await tellServers();

  step("Her next request happens to reach application two. She puts tea into her cart.");
  expect(await ada.put(two, "tea"), 200, "Ada", ["tea"]);
  expect(await ada.look(one), 200, "Ada", ["tea"]);
  note("One and two have never spoken to each other.");

  step("Two requests of hers run at once: a pen on one, a note on two. Both read, then both save.");
  const both = await Promise.all([ada.put(one, "a pen", 100), ada.write(two, "a gift", 150)]);
  for (const told of both) expect(told, 200, "Ada");
  const after = await ada.look(one);
  expect(after, 200, "Ada", ["tea", "a pen"]);
  assert.equal(after.note, "a gift");
  note("Neither has overwritten the other.");

  step("A slow request is under way on two. Meanwhile she logs out on one.");
  const slow = ada.put(two, "a book", 400);
  await sleep(100);
  const before = ada.cookie;
  expect(await ada.logout(one), 200, undefined);
  await tellServers();
  expect(await slow, 401, undefined);
  note("The late save found that the session was gone, and did not bring it back:");
  ada.cookie = before;
  expect(await ada.look(one), 200, undefined);
  note("Not even with the old cookie.");

  step("Visitors log in until each server holds somebody's session.");
  const visitors: Visitor[] = [];
  const names = ["Ada", "Blaise", "Carl", "Daniel", "Emmy", "Felix", "Grace", "Henri", "Ida"];
  for (const name of names) {
    const visitor = new Visitor(name);
    const told = await visitor.login(visitors.length % 2 === 0 ? one : two);
    assert.equal(told.status, 200);
    visitors.push(visitor);
    note(`${name}: server ${serverOf(visitor).name}`);
    if (new Set(visitors.map(serverOf)).size === servers.length) break;
  }
  await tellServers();

  const [unlucky] = visitors as [Visitor];
  const lost = serverOf(unlucky);
  step(`Server ${lost.name} dies. ${unlucky.name}'s session was on it.`);
  await lost.stop();
  for (const visitor of visitors) {
    note(`${visitor.name}, server ${serverOf(visitor).name}:`);
    const down = serverOf(visitor) === lost;
    expect(await visitor.look(two), down ? 503 : 200, down ? undefined : visitor.name);
    assert.ok(visitor.cookie !== undefined);
  }
  note("An unreachable session is an error, never a logout: nobody's cookie was touched.");

  step(`Server ${lost.name} comes back, empty as memcached is after a restart.`);
  await lost.startAgain();
  const told = await patiently(() => unlucky.look(one));
  expect(told, 200, undefined);
  note(`Now it is known that the session is gone, and ${unlucky.name} logs in again.`);
  expect(await patiently(() => unlucky.login(two)), 200, unlucky.name);
  await tellServers();

  await store.close();
  await client.close();
}

/** Asks again while the answer is 503, as Retry-After says. Each application finds out by itself. */
async function patiently(ask: () => Promise<Told>): Promise<Told> {
  const limit = Date.now() + 10_000;
  for (;;) {
    const told = await ask();
    if (told.status !== 503 || Date.now() > limit) return told;
    await sleep(50);
  }
}

let steps = 0;

function step(text: string): void {
  console.log(`\n${++steps}. ${text}`);
}

function note(text: string): void {
  console.log(`   ${text}`);
}

function tell({ status, from, text, cart = [], note }: Told): void {
  const things = cart.length > 0 ? [`cart: ${cart.join(", ")}`] : [];
  if (note !== undefined) things.push(`note: ${note}`);
  const holding = things.length > 0 ? ` (${things.join("; ")})` : "";
  console.log(`   ${status} ${from}: ${text}${holding}`);
}

function expect(
  told: Told,
  status: number,
  user: string | undefined,
  cart?: readonly string[],
): void {
  tell(told);
  assert.equal(told.status, status);
  assert.equal(told.user, user);
  if (cart !== undefined) assert.deepEqual(told.cart, cart);
}
