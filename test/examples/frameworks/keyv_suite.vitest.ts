// Runs Keyv's own test suite, unchanged, with Keyv 5: `npx vitest run` in this folder.
import * as vitest from "vitest";
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
import Keyv from "keyv";
import { Memcached } from "memwire";
import { MemwireKeyv } from "memwire/keyv";
import { startMemcached } from "../../support/memcached.ts";

const server = await startMemcached();
const client = new Memcached(server.address);
vitest.afterAll(async () => {
  await client.close();
  await server.stop();
});

const store = (): MemwireKeyv => new MemwireKeyv(client);
keyvTestSuite(vitest, Keyv, store);
keyvIteratorTests(vitest, Keyv, store);
