/**
 * The shop's page, for a browser. It is plain HTML with forms and works without JavaScript.
 */
import type { Answer } from "./shop.ts";

/** How long the slow request of the page takes, in ms. */
const SLOW = 4_000;

/** What the page says after a request that has saved nothing. The keys come in the page's address. */
const NOTICES: Readonly<Record<string, string>> = {
  gone: "Nothing was saved: while that request ran, your session ended or got a new id.",
  unchanged: "There was nothing to save.",
};
const UNREACHABLE = "Nothing was saved: a session’s server could not be reached.";

/** Makes the page for an answer, with the outcome of the form that was posted before. */
export function shopPage(answer: Answer, status: number, after: string | null): string {
  const notice = after === null ? "" : NOTICES[after] ?? UNREACHABLE;
  const retry = status === 503 ? `<meta http-equiv="refresh" content="2; url=./">` : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${retry}
<title>Shop, application ${escape(answer.from)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="base.css">
<link rel="stylesheet" href="shop.css">
</head>
<body data-status="${status}">
${status === 200 ? shop(answer, notice) : failure(answer, status)}
</body>
</html>
`;
}

function shop({ text, user, cart = [], note }: Answer, notice: string): string {
  return `<header>
<h1>${escape(text)}</h1>
${
    user === undefined
      ? form(
        "login",
        `<input name="user" value="Ada" aria-label="Your name" maxlength="20">`,
        "Log in",
        "primary",
      )
      : form("logout", "", "Log out")
  }
</header>
${notice && `<p class="notice" role="status">${escape(notice)}</p>`}
<dl>
<div><dt>Cart</dt><dd>${
    cart.length === 0 ? `<span class="none">empty</span>` : list(cart)
  }</dd></div>
<div><dt>Note</dt><dd>${note ? escape(note) : `<span class="none">none</span>`}</dd></div>
</dl>
<div class="actions">
${form("cart", hidden("item", "tea"), "Add tea")}
${form("cart", hidden("item", "a pen"), "Add a pen")}
${
    form(
      "note",
      hidden("note", "a gift, please") + hidden("slow", String(SLOW)),
      `Leave a note, slowly <small>${SLOW / 1000} s</small>`,
    )
  }
</div>`;
}

function failure({ text }: Answer, status: number): string {
  return `<header><h1><span class="status">${status}</span> ${escape(text)}</h1></header>
${
    status === 503
      ? `<p>You are not logged out: your cookie is as it was. This page tries again by itself.</p>`
      : ""
  }
<p><a class="button" href="./">Try again</a></p>`;
}

function form(action: string, fields: string, label: string, kind = ""): string {
  return `<form method="post" action="${action}">${fields}<button class="${kind}">${label}</button></form>`;
}

function hidden(name: string, value: string): string {
  return `<input type="hidden" name="${name}" value="${value}">`;
}

/** Makes a text of the cart: "tea × 2, a pen". */
function list(cart: readonly string[]): string {
  return [...new Set(cart)].map((item) => {
    const count = cart.filter((other) => other === item).length;
    return `<span class="item">${escape(item)}${count > 1 ? ` × ${count}` : ""}</span>`;
  }).join(" ");
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
