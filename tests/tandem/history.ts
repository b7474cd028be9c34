/**
 * What happened to some names: who wrote what and when, who read what and when,
 * and whether the one explains the other.
 *
 * All clients are in one process, so one clock puts every beginning and every
 * end in order. A value that was read is explained by a write that had begun by
 * the end of the read, and that no other one had certainly replaced before the
 * read began. What overlaps may have happened in either order.
 *
 * @module
 */

/** What a name can have: the number of a version, or nothing. */
export type Value = number | "absent";

/** Something that may have given a name a value. */
interface Write {
  readonly name: string;
  /** The value, or the name whose value it was. */
  readonly value: Value | { readonly movedFrom: string };
  readonly begin: number;
  /** `Infinity` as long as it may still happen, or may never. */
  end: number;
  /** Whether it has certainly happened. */
  isSure: boolean;
}

/** What was read of a name. */
interface Read {
  readonly name: string;
  readonly isPossible: (value: Value) => boolean;
  readonly shown: string;
  readonly begin: number;
  readonly end: number;
}

/** A write that has begun: what becomes of it is told once. */
export interface Pending {
  /** It has happened. */
  done(): void;
  /** It has not, and never will. */
  refused(): void;
  /** Nobody knows, and it may happen until the returned function is called. */
  unknown(): () => void;
}

/** The history of some names that were all absent in the beginning. */
export class History {
  readonly #writes: Write[] = [];
  readonly #reads: Read[] = [];
  readonly #versions = new Set<number>();
  #clock = 0;

  /** The present time. */
  now(): number {
    return ++this.#clock;
  }

  /** A write of a version, or of nothing, begins. */
  write(name: string, value: Value): Pending {
    if (value !== "absent") this.#versions.add(value);
    return this.#pending([{ name, value }]);
  }

  /** What has one name gets another one. */
  move(from: string, to: string): Pending {
    return this.#pending([{ name: from, value: "absent" }, { name: to, value: { movedFrom: from } }]);
  }

  /** A name had one of these values at some moment since `begin`. */
  read(name: string, begin: number, shown: string, isPossible: (value: Value) => boolean): void {
    this.#reads.push({ name, begin, end: this.now(), shown, isPossible });
  }

  /** The reads that nothing explains. */
  unexplained(): string[] {
    return this.#reads
      .filter((read) => {
        const values: Value[] = ["absent", ...this.#versions];
        return !values.some((value) =>
          read.isPossible(value) && this.#mayHave(read.name, value, read.begin, read.end, [])
        );
      })
      .map(({ name, shown, begin, end }) => `"${name}" was ${shown} between ${begin} and ${end}`);
  }

  /** Everything, for whoever has to find out what went wrong. */
  toString(): string {
    const lines = [
      ...this.#writes.map(({ name, value, begin, end, isSure }) =>
        [begin, `${begin} to ${end}: "${name}" gets ${JSON.stringify(value)}${isSure ? "" : ", perhaps"}`] as const
      ),
      ...this.#reads.map(({ name, shown, begin, end }) =>
        [begin, `${begin} to ${end}: "${name}" was ${shown}`] as const
      ),
    ];
    return lines.sort(([a], [b]) => a - b).map(([, line]) => line).join("\n");
  }

  #pending(changes: readonly Pick<Write, "name" | "value">[]): Pending {
    const begin = this.now();
    const writes = changes.map((change): Write => ({ ...change, begin, end: Infinity, isSure: false }));
    this.#writes.push(...writes);
    const end = () => {
      const now = this.now();
      for (const write of writes) write.end = now;
    };
    return {
      done() {
        end();
        for (const write of writes) write.isSure = true;
      },
      refused: () => {
        for (const write of writes) this.#writes.splice(this.#writes.indexOf(write), 1);
      },
      unknown: () => end,
    };
  }

  #mayHave(name: string, value: Value, begin: number, end: number, on: readonly Write[]): boolean {
    const first: Write = { name, value: "absent", begin: 0, end: 0, isSure: true };
    return [first, ...this.#writes].some((write) => {
      if (write.name !== name || write.begin > end || on.includes(write)) return false;
      if (this.#isReplaced(write, begin)) return false;
      if (typeof write.value !== "object") return write.value === value;
      return value !== "absent" && this.#mayHave(write.value.movedFrom, value, write.begin, write.end, [...on, write]);
    });
  }

  #isReplaced({ name, end }: Write, before: number): boolean {
    return this.#writes.some((other) => other.name === name && other.isSure && other.begin > end && other.end < before);
  }
}
