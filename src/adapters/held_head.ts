/** The head of a response that is held back: its status and headers as node:http would have them meanwhile. */
import {
  asHttp1,
  type Call,
  checkStatus,
  type ServerResponseLike,
  setHeaders,
} from "./response_layers.ts";

/** The head of the handler's answer. */
export class HeldHead {
  readonly #response: ServerResponseLike;
  readonly #http1: ReturnType<typeof asHttp1>;
  /** The text of the status that the response had at first. */
  readonly #ownMessage: string | undefined;
  #status = 0;
  #message: string | undefined;
  /** The headers that writeHead has set. */
  #names: string[] = [];
  #telling = false;
  #told: unknown[] | undefined;

  constructor(response: ServerResponseLike) {
    this.#response = response;
    this.#http1 = asHttp1(response);
    this.#ownMessage = this.#http1?.statusMessage;
  }

  /**
   * Calls writeHead for a first write without one, as node:http does. So middleware that has patched it sees that
   * the head is written. The call itself is not kept: node:http makes it again, and knows the body's length then.
   */
  tell(): void {
    this.#telling = true;
    try {
      (this.#response.writeHead as Call)(this.#response.statusCode);
    } finally {
      this.#telling = false;
    }
  }

  /** Whether this call of writeHead is the one that only tells; its arguments are noted then. */
  hears(args: unknown[]): boolean {
    if (this.#telling) this.#told = args;
    return this.#telling;
  }

  /** The arguments with which the call that tells has arrived, once. */
  takeTold(): unknown[] | undefined {
    const told = this.#told;
    this.#told = undefined;
    return told;
  }

  /** Checks the handler's writeHead and does what it does to the response, but sends nothing. Throws as it would. */
  set(args: unknown[]): void {
    const status = checkStatus(args[0]);
    this.#names = setHeaders(this.#response, args);
    this.#response.statusCode = status;
    if (this.#http1 && typeof args[1] === "string") this.#http1.statusMessage = args[1];
  }

  /** Notes the status at the first write. */
  keep(): void {
    this.#status = this.#response.statusCode;
    this.#message = this.#http1?.statusMessage;
  }

  /** Puts the status back, which the handler may have changed since. */
  restore(): void {
    this.#response.statusCode = this.#status;
    if (this.#http1 !== undefined) this.#http1.statusMessage = this.#message;
  }

  /** Takes back what writeHead has set, because another answer follows. */
  forget(): void {
    for (const name of this.#names) this.#response.removeHeader(name);
    if (this.#http1 !== undefined) this.#http1.statusMessage = this.#ownMessage;
  }
}
