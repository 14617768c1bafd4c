import type { SessionOptions } from "koa-session";
import type { Session, SessionStore } from "memwire";

type Fields = Record<string, unknown>;
type KoaSessionStore = NonNullable<SessionOptions["store"]>;

/** A store for koa-session. Concurrent requests keep each other's changes, and a destroyed session stays destroyed. */
export function koaSessionStore(store: SessionStore): KoaSessionStore {
  const read = new WeakMap<object, { session: Session; fields: Fields }>();
  function change(session: Session, before: Fields, after: Fields, maxAge: unknown): void {
    for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) session.delete(name);
    for (const [name, value] of Object.entries(after)) {
      if (JSON.stringify(value) !== JSON.stringify(before[name])) session.set(name, value);
    }
    if (typeof maxAge === "number") session.ttl = Math.ceil(maxAge / 1000); // otherwise "session"
  }
  return {
    async get(id, _maxAge, { ctx }): Promise<Fields | undefined> {
      const session = await store.open(id);
      if (session.isNew) return undefined;
      read.set(ctx, { session, fields: structuredClone(Object.fromEntries(session.entries())) });
      return Object.fromEntries(session.entries());
    },
    async set(id, fields, maxAge, { ctx }): Promise<void> {
      const after = JSON.parse(JSON.stringify(fields)) as Fields;
      const known = read.get(ctx);
      const session = known?.session.id === id ? known.session : store.create(id);
      change(session, known?.session === session ? known.fields : {}, after, maxAge);
      await store.storeSession(session);
      read.set(ctx, { session, fields: after });
    },
    async destroy(id): Promise<void> {
      await store.delete(id);
    },
  };
}
