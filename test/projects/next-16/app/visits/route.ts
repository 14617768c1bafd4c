import { withSession } from "memwire/web";
import { sessions } from "../../lib/memcached";

export const GET = withSession(sessions, (_request, session) => {
  session.update("visits", (visits = 0) => visits + 1);
  return Response.json(session.get("visits"));
});
