import type { SessionStore } from "memwire";
import type { SessionData, SessionIdStorageStrategy } from "react-router";

/** Storage for React Router's createSessionStorage. A session that was destroyed is not written again. */
export function sessionData(
  store: SessionStore,
): Omit<SessionIdStorageStrategy<SessionData>, "cookie"> {
  async function write(id: string | undefined, data: object, expires?: Date): Promise<string> {
    const session = id === undefined ? store.create() : await store.open(id);
    if (id !== undefined && session.isNew) return id; // the session has ended meanwhile
    session.clear();
    for (const [name, value] of Object.entries(data)) session.set(name, value);
    if (expires !== undefined) {
      session.ttl = Math.max(1, Math.ceil((expires.getTime() - Date.now()) / 1000));
    }
    await store.storeSession(session);
    return session.id;
  }
  return {
    createData: (data, expires) => write(undefined, data, expires),
    readData: async (id) => (await store.get(id)) ?? null,
    updateData: async (id, data, expires) => void await write(id, data, expires),
    deleteData: async (id) => void await store.delete(id),
  };
}
