/** Makes calls with signals that would abort much later. signals.test.ts runs it and waits for its end. */
import process from "node:process";
import { Memcached } from "../../mod.ts";
import { PATIENT } from "../support/patient.ts";

const client = new Memcached(process.argv[2] as string, PATIENT);
await client.set("k", "v", { signal: AbortSignal.timeout(30_000) });
await client.get("k", { signal: AbortSignal.timeout(30_000) });
await client.getMany(["k", "l"], { signal: AbortSignal.timeout(30_000) });
await client.update("k", (value) => `${value}!`, { signal: AbortSignal.timeout(30_000) });
await client.stats(undefined, { signal: AbortSignal.timeout(30_000) });
await client.close();
