/**
 * A process that sleeps: sleep.test.ts runs it, and stops it while it waits. When it is woken, a timer that writes
 * comes first. It prints how the write ended.
 */
import process from "node:process";
import { Memcached } from "../../mod.ts";

const [address = "", protocol = "meta", operation = "set"] = process.argv.slice(2);
const client = new Memcached(address, {
  protocol: protocol as "meta" | "classic",
  timeout: 10_000,
  connectTimeout: 10_000,
});
await client.set("pid", String(process.pid));

async function write(): Promise<void> {
  const how = { error: "", ambiguous: false };
  try {
    if (operation === "set") await client.set("k", "v");
    else if (operation === "add") await client.add("k", "v");
    else await client.increment("k");
  } catch (error) {
    const { name, message, ambiguous } = error as Error & { ambiguous: boolean };
    Object.assign(how, { error: `${name}: ${message}`, ambiguous });
  }
  console.log(JSON.stringify(how));
  await client.close();
}

setTimeout(() => void write(), 3_000);
