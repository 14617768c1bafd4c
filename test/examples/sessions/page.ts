/**
 * The shop's page, for a browser.
 */
import type { Answer } from "./shop.ts";

/** The page that tells an answer. */
export function page({ from, text, user, cart = [], note = "" }: Answer): string {
  const form = (action: string, field: string, label: string): string =>
    `<form method="post" action="/${action}">${field} <button>${label}</button></form>`;
  const items = cart.map((item) => `<li>${escape(item)}</li>`).join("");
  return `<!doctype html>
<meta charset="utf-8">
<title>A shop</title>
<p>Application <b>${escape(from)}</b> says: ${escape(text)}
<ul>${items}</ul>
<p>${escape(note)}
${form("cart", `<input name="item" value="tea">`, "into the cart")}
${form("note", `<input name="note" value="a gift, please">`, "note")}
${
    user === undefined
      ? form("login", `<input name="user" value="Ada">`, "log in")
      : form("logout", "", "log out")
  }
<p><a href="/">again</a>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
