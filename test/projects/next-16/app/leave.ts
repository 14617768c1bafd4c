"use server";
import { cookies } from "next/headers";
import { sessions } from "../lib/memcached";

export async function leave(): Promise<void> {
  const jar = await cookies();
  const session = await sessions.open(jar.get("__Host-session")?.value);
  session.destroy();
  const outcome = await sessions.storeSession(session);
  if (outcome === "deleted") jar.set("__Host-session", "", { maxAge: 0, secure: true, path: "/" });
}
