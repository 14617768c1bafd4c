import { readCookie, sessionCookie } from "memwire";
import { sessions } from "../../lib/memcached";

export async function GET(request: Request): Promise<Response> {
  const session = await sessions.open(readCookie(request.headers.get("cookie")));
  session.set("visits", (session.get("visits") ?? 0) + 1);
  await sessions.storeSession(session);
  return Response.json(session.get("visits"), {
    headers: { "set-cookie": sessionCookie(session.id) },
  });
}
