/** Prints as JSON the errors of calls in a process that may not connect. */
import { Memcached, type MemcachedError } from "../../mod.ts";

const refused: { code: string; message: string }[] = [];
for (const address of ["127.0.0.1:11211", "unix:/tmp/memwire-nobody.sock", "cache.invalid"]) {
  const client = new Memcached(address);
  for (const call of [() => client.get("k"), () => client.stats()]) {
    try {
      await call();
    } catch (error) {
      const { code, message } = error as MemcachedError;
      refused.push({ code, message });
    }
  }
  await client.close();
}
console.log(JSON.stringify(refused));
