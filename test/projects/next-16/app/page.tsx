import { cookies } from "next/headers";
import type { ReactNode } from "react";
import { sessions } from "../lib/memcached";
import { leave } from "./leave";

export default async function Page(): Promise<ReactNode> {
  const session = await sessions.open((await cookies()).get("__Host-session")?.value);
  return (
    <form action={leave}>
      <p>{`${session.get("visits") ?? "no"} visits`}</p>
      <button type="submit">Leave</button>
    </form>
  );
}
