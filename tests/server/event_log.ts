/**
 * What a server says about itself, kept, so that a test can wait for an event
 * instead of sleeping.
 *
 * @module
 */

import type { CommandEvent, ServerEvent, SessionClosedEvent, SessionOpenedEvent, WarningEvent } from "../../mod.ts";
import { within } from "./deadline.ts";

/** A client, as events name it. */
export interface HasAddress {
  /** Its address and port. */
  readonly address: string;
}

/** The events of one server, each of which can be taken once. */
export class EventLog {
  #untaken: ServerEvent[] = [];
  #changed = Promise.withResolvers<void>();

  /** To be given to `serve()` as `onEvent`. */
  readonly record = (event: ServerEvent): void => {
    this.#untaken.push(event);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  /** The events that nobody has taken yet, in order. */
  get untaken(): readonly ServerEvent[] {
    return this.#untaken;
  }

  /** Takes the earliest event that `matches`, and waits for it if there is none yet. */
  async take<E extends ServerEvent>(
    what: string,
    matches: (event: ServerEvent) => event is E,
  ): Promise<E> {
    for (;;) {
      for (const [i, event] of this.#untaken.entries()) {
        if (!matches(event)) continue;
        this.#untaken.splice(i, 1);
        return event;
      }
      await within(`the event of ${what}`, this.#changed.promise);
    }
  }

  /** Takes the end of the earliest command with this text. */
  command(text: string): Promise<CommandEvent> {
    return this.take(
      `the command "${text.slice(0, 80)}"`,
      (event): event is CommandEvent => event.event === "command" && event.command === text,
    );
  }

  /** Takes the end of the earliest command of a session, whatever it is. */
  commandOf(client: HasAddress): Promise<CommandEvent> {
    return this.take(
      `a command of ${client.address}`,
      (event): event is CommandEvent => event.event === "command" && event.peer === client.address,
    );
  }

  /** Takes the beginning of a session. */
  sessionOpened(client: HasAddress): Promise<SessionOpenedEvent> {
    return this.take(
      `the beginning of the session of ${client.address}`,
      (event): event is SessionOpenedEvent => event.event === "session-opened" && event.peer === client.address,
    );
  }

  /** Takes the end of a session. */
  sessionClosed(client: HasAddress): Promise<SessionClosedEvent> {
    return this.take(
      `the end of the session of ${client.address}`,
      (event): event is SessionClosedEvent => event.event === "session-closed" && event.peer === client.address,
    );
  }

  /** Takes the earliest warning of this kind. */
  warning(outcome: WarningEvent["outcome"]): Promise<WarningEvent> {
    return this.take(
      `the warning ${outcome}`,
      (event): event is WarningEvent => event.event === "warning" && event.outcome === outcome,
    );
  }

  /** Everything so far that is a bug of the server's own, whoever caused it. */
  internalErrors(): ServerEvent[] {
    return this.#untaken.filter((event) => "outcome" in event && event.outcome === "internal");
  }

  /** Forgets what has happened so far. */
  clear(): void {
    this.#untaken = [];
  }
}
