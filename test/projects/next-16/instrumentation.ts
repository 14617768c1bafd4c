/** Runs when the server starts, before the first request, in a bundle of its own. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { memcached } = await import("./lib/memcached");
  await memcached.version();
}
