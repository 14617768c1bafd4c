import process from "node:process";
import express from "express";
import { rateLimit } from "express-rate-limit";
import { Memcached } from "memwire";
import { RateLimitStore } from "memwire/rate-limit";

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const store = new RateLimitStore({ client, onUnavailable: "pass" });

const app = express();
app.use(rateLimit({ windowMs: 3_600_000, limit: 5, store }));
app.get("/", (_request, response) => void response.send("welcome"));
app.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");
