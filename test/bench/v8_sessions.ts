/** Sessions such as web applications keep: 600 different ones, and one each of three sizes. */
import { Random } from "../v8/random.ts";

type Fields = Record<string, unknown>;

const FIRST = [
  "Ada",
  "Jürgen",
  "Chloé",
  "Mehmet",
  "Ольга",
  "James",
  "Yuki",
  "Maria",
  "Lars",
  "Priya",
];
const PATHS = [
  "/",
  "/cart",
  "/account/orders",
  "/products/42",
  "/search?q=lamp",
  "/checkout/address",
];
const ROLES = ["admin", "editor", "viewer", "billing", "support"];
const AGENTS = [
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Safari/605.1.15",
];

function hex(random: Random, length: number): string {
  let text = "";
  while (text.length < length) {
    text += random.next().toString(16).padStart(8, "0");
  }
  return text.slice(0, length);
}

function item(random: Random): Fields {
  return {
    sku: `SKU-${random.below(100_000)}`,
    quantity: 1 + random.below(5),
    price: random.below(20_000) / 100,
  };
}

const parts: readonly ((session: Fields, random: Random) => void)[] = [
  (session, random) => session.userId = random.below(1_000_000),
  (session, random) => {
    session.user = {
      id: random.below(1_000_000),
      name: random.of(FIRST),
      email: `user${random.below(10_000)}@example.com`,
      roles: Array.from({ length: random.below(3) }, () => random.of(ROLES)),
    };
  },
  (session, random) => session.csrfToken = hex(random, 32),
  (session, random) => session.lastSeen = new Date(1.7e12 + random.next()),
  (session, random) => session.cart = Array.from({ length: random.below(4) }, () => item(random)),
  (session, random) =>
    session.flash = random.below(2) ? null : { notice: "Your changes were saved." },
  (session, random) => session.visits = random.below(500),
  (session, random) => session.returnTo = random.of(PATHS),
  (session, random) => session.loggedIn = random.below(2) === 0,
  (session, random) => session.locale = random.of(["de-DE", "en-GB", "fr-FR", "ja-JP"]),
  (session, random) =>
    session.history = Array.from(
      { length: random.below(5) },
      () => random.of(PATHS),
    ),
  (session, random) =>
    session.geo = {
      lat: random.below(18_000) / 100 - 90,
      lon: random.below(36_000) / 100 - 180,
    },
  (session, random) =>
    session.prefs = {
      theme: random.of(["dark", "light"]),
      pageSize: 25,
      beta: random.below(2) === 0,
    },
  (session, random) => session.agent = random.of(AGENTS),
  (session, random) => session.expires = 1.7e12 + random.next(),
];

/** Makes one session of some of the parts; some sessions have few parts, some many. */
function mixed(random: Random): Fields {
  const session: Fields = {};
  const likely = 2 + random.below(5);
  for (const part of parts) {
    if (random.below(10) < likely) part(session, random);
  }
  return session;
}

/** Makes 600 sessions of about 230 bytes, as if just loaded from a store, so that no text is still in pieces. */
export function mixedSessions(): Fields[] {
  const random = new Random(600);
  return structuredClone(Array.from({ length: 600 }, () => mixed(random)));
}

/** Makes a session of about 170 bytes. */
export function smallSession(): Fields {
  return {
    userId: 4711,
    name: "Ada Lovelace",
    email: "ada@example.com",
    csrfToken: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    loggedIn: true,
    visits: 17,
    lastSeen: new Date(1.7e12),
    roles: ["admin", "editor"],
  };
}

/** Makes a session of about 2 KB, with a filled cart. */
export function mediumSession(): Fields {
  const random = new Random(2);
  return structuredClone({
    ...smallSession(),
    agent: AGENTS[0],
    cart: Array.from(
      { length: 24 },
      () => ({
        ...item(random),
        title: `Desk lamp ${random.below(99)}`,
        gift: false,
      }),
    ),
    history: PATHS,
  });
}

/** Makes a session of about 50 KB, with lists that should be in a database. */
export function largeSession(): Fields {
  const random = new Random(50);
  return structuredClone({
    ...mediumSession(),
    orders: Array.from({ length: 150 }, () => ({
      id: hex(random, 16),
      placed: 1.7e12 + random.next(),
      total: random.below(100_000) / 100,
      open: random.below(2) === 0,
      note: random.below(4) ? null : "Please ring twice, the bell is hard to hear from the garden.",
      items: Array.from({ length: 4 }, () => item(random)),
    })),
    measurements: Array.from({ length: 500 }, () => random.below(100_000) / 10),
  });
}
