import * as every from "../../every.js";

export const dynamic = "force-dynamic";

export function GET(): Response {
  return Response.json(Object.values(every).map((module) => Object.keys(module).length));
}
