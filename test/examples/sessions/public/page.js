/**
 * Keeps the page up to date. The server's events say that something has changed. Then the page asks for the new
 * state, with the visitor's cookie, which no script can read.
 */
const $ = (id) => document.getElementById(id);
const frames = [...document.querySelectorAll("iframe")];

/** Ignores a request that fails: when the server is back, the events open again and everything is redrawn. */
const ignore = () => {};

/** Makes an element of a class, with text and elements in it. */
function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

// The applications, each in a frame.

/** Puts the application's present answer into its frame, without disturbing a request there. */
async function refresh(frame, url = `/${frame.name}/`) {
  const shown = frame.contentDocument;
  const turn = frame.turn = (frame.turn ?? 0) + 1;
  const response = await fetch(url, { headers: { accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  if (frame.contentDocument !== shown) return; // the frame has loaded something newer itself
  if (frame.turn !== turn) return; // asked again meanwhile
  const isTyping = shown.hasFocus() && shown.activeElement?.matches("input");
  if (!isTyping && shown.body.innerHTML !== fresh.body.innerHTML) {
    shown.body.replaceWith(fresh.body);
    fit(frame);
  }
  clearTimeout(frame.retry);
  if (response.status === 503) frame.retry = setTimeout(() => refresh(frame).catch(ignore), 1000);
}

/** Gives a frame the height of its content. */
function fit(frame) {
  const body = frame.contentDocument?.body; // none while it loads
  if (body) frame.style.height = `${body.offsetHeight}px`;
}

function watch(frame) {
  const { classList } = frame.closest(".window");
  classList.remove("busy");
  frame.contentDocument.addEventListener("submit", () => classList.add("busy"));
  fit(frame);
}

for (const frame of frames) {
  frame.addEventListener("load", () => watch(frame));
  if (frame.contentDocument?.readyState === "complete") watch(frame);
  new ResizeObserver(() => fit(frame)).observe(frame.parentElement);
}

// The servers, and where the visitor's session is.

const cards = new Map();

function cardOf(name) {
  if (!cards.has(name)) {
    $("servers").append($("server").content.cloneNode(true));
    const card = $("servers").lastElementChild;
    card.querySelector("h2").textContent = `Server ${name}`;
    card.querySelector("form").addEventListener("submit", switchServer);
    cards.set(name, card);
  }
  return cards.get(name);
}

/** Stops or starts a server without loading the page again. */
async function switchServer(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  await fetch(form.action, { method: "POST", redirect: "manual" }).catch(ignore);
  button.ariaBusy = null;
  await draw().catch(ignore);
}

function drawServer({ name, address, running, sessions, more }, you) {
  const card = cardOf(name);
  const mine = you?.server === name && (you.held || !running);
  card.classList.toggle("stopped", !running);
  card.classList.toggle("mine", mine);
  card.querySelector(".state").textContent = running ? "running" : "stopped";
  card.querySelector(".address").textContent = address;
  const words = (text) => element("li", "words", text);
  const lines = sessions.map(({ hash, user = "not logged in" }) => {
    const code = element("code", "", hash);
    return hash === you?.hash
      ? element("li", "session mine", code, ` ${user} (you)`)
      : element("li", "session", code, ` ${user}`);
  });
  if (mine && !running) {
    lines.push(element("li", "session lost", element("code", "", you.hash), " (you)"));
  }
  if (more > 0) lines.push(words(`and ${more} more`));
  if (lines.length === 0 && running) lines.push(words("No sessions."));
  if (!running) lines.push(words("What it held is lost. Other servers’ sessions are not touched."));
  card.querySelector("ul").replaceChildren(...lines);
  card.querySelector("form").action = `/servers/${name}/${running ? "stop" : "start"}`;
  const button = card.querySelector("button");
  button.textContent = `${running ? "Stop" : "Start"} server ${name}`;
  button.className = running ? "" : "primary";
}

function drawYou(you, servers) {
  const down = servers.some(({ name, running }) => name === you?.server && !running);
  $("you").classList.toggle("down", down);
  if (you === null) {
    $("you").replaceChildren("You have no session yet. Log in, or put something into the cart.");
    return;
  }
  const session = element("span", "session mine", element("code", "", you.hash));
  const server = element("b", "", `server ${you.server}`);
  if (down) {
    const why = ", which is stopped. Both answer 503; your cookie is kept.";
    $("you").replaceChildren("Your session ", session, " belongs on ", server, why);
  } else if (you.held) {
    const why = ". Both applications find it there by its id.";
    $("you").replaceChildren("Your session ", session, " is on ", server, why);
  } else {
    const why = " does not hold it any more. A new login gets a new id.";
    $("you").replaceChildren("Your cookie names session ", session, ", but ", server, why);
  }
}

/** How often the state was asked for. An answer that was overtaken by a newer one is not drawn. */
let asked = 0;

async function draw() {
  const mine = ++asked;
  const { servers, you, applications, about } = await (await fetch("/state"))
    .json();
  if (mine !== asked) return;
  for (const server of servers) drawServer(server, you);
  drawYou(you, servers);
  for (const { name, url } of applications) {
    const link = document.querySelector(`[data-address="${name}"]`);
    const { port } = new URL(url);
    // The host is that of this page, and so is the cookie, because cookies are not separated by port.
    link.href = `http://${location.hostname}:${port}/`;
    link.textContent = `${location.hostname}:${port}`;
  }
  $("about").textContent = `Servers: ${about.servers}. Applications: ${about.runtime}.`;
}

// The events.

/** Asks for everything again, except from the application that has just answered. */
function redraw(by) {
  draw().catch(ignore);
  for (const frame of frames) {
    const url = frame.name === by ? frame.contentWindow.location.href : undefined;
    refresh(frame, url).catch(ignore);
  }
}

let events;

function follow() {
  events = new EventSource("/events");
  events.addEventListener("open", () => {
    $("log").replaceChildren(); // the server sends all of it again
    $("live").className = "live";
    $("live").textContent = "live";
    redraw();
  });
  events.addEventListener("error", () => {
    $("live").className = "live lost";
    $("live").textContent = "connecting";
  });
  events.addEventListener("log", ({ data }) => {
    const { at, from, tone, text } = JSON.parse(data);
    const entry = $("entry").content.cloneNode(true).firstElementChild;
    entry.className = tone;
    entry.querySelector("time").textContent = new Date(at).toTimeString().slice(0, 8);
    entry.querySelector(".from").textContent = /^[A-Z]$/.test(from)
      ? `Server ${from}`
      : `Application ${from}`;
    entry.querySelector(".text").textContent = text;
    $("log").prepend(entry);
    while ($("log").childElementCount > 100) $("log").lastElementChild.remove();
  });
  events.addEventListener("change", ({ data }) => {
    const { by } = JSON.parse(data);
    redraw(by);
  });
}

// A hidden page follows no events, because a browser has few connections for one address.
document.addEventListener("visibilitychange", () => {
  events.close();
  if (!document.hidden) follow();
});
follow();
