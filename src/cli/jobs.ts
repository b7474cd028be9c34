/**
 * Many files in one command: several under way at one time, over one session or
 * more, and one error at the end that says which failed.
 *
 * @module
 */

import { type Client, TandemError } from "../../mod.ts";
import type { Shell } from "./shell.ts";

/** One file to be moved, both names as they are used. */
export interface Job {
  /** Where it is. */
  readonly from: string;
  /** What it will be. */
  readonly to: string;
  /** Its size in bytes, where that is known. */
  readonly bytes?: number | undefined;
}

/** A file that could not be moved, and why. */
export interface FailedJob {
  /** Which one. */
  readonly job: Pick<Job, "from">;
  /** Why. */
  readonly error: TandemError;
}

/** Files under way in one tandem session: enough to hide a round trip, and few enough to keep them all in mind. */
const OVERLAPPING = 32;

/** Does one job over one session; `attempt` counts its tries from 0. */
export type RunJob<J> = (client: Client, job: J, attempt: number) => Promise<void>;

/**
 * Does all jobs; one that fails does not keep the others from being done, unless
 * the session is gone.
 *
 * @param failed what could not even be tried, with its error.
 * @throws {TandemError} what a single job failed with; `partial` where some of several did.
 */
export async function runJobs<J extends Job>(
  shell: Shell,
  jobs: readonly J[],
  run: RunJob<J>,
  failed: FailedJob[] = [],
): Promise<void> {
  const total = jobs.length + failed.length;
  const { output, signal } = shell;
  let next = 0;
  let over = false;
  output.begin(jobs.map(({ bytes }) => bytes));
  const work = async (lane: Shell["sessions"]["main"]) => {
    // A server may let in fewer sessions than were asked for.
    if (lane !== shell.sessions.main && !await lane.ready(signal).then(() => true, () => false)) return;
    while (next < jobs.length && !over && !signal.aborted) {
      const job = jobs[next++] as J;
      try {
        await lane.run((client, attempt) => run(client, job, attempt), signal);
      } catch (error) {
        if (!(error instanceof TandemError) || total === 1) throw error;
        failed.push({ job, error });
        over ||= endsSession(error);
        if (!over && !signal.aborted) output.error(error);
      }
    }
  };
  // In the plain exchange they wait in the session for their turn.
  const each = Math.min(OVERLAPPING, Math.ceil(jobs.length / shell.sessions.lanes.length));
  const lanes = shell.sessions.lanes.slice(0, jobs.length);
  await allEnded(lanes.flatMap((lane) => Array.from({ length: each }, () => work(lane))));
  const [first] = failed;
  if (first === undefined) return;
  const ending = failed.find(({ error }) => endsSession(error));
  const sameCause = failed.length === total && failed.every(({ error }) => error.code === first.error.code);
  if (ending !== undefined) throw ending.error;
  if (sameCause) throw first.error;
  const names = failed.slice(0, NAMED).map(({ job }) => job.from).join(", ");
  const more = failed.length > NAMED ? ` and ${failed.length - NAMED} more` : "";
  throw new TandemError("partial", `${failed.length} of ${total} files failed: ${names}${more}`);
}

/** How many of those that failed are named at the end. */
const NAMED = 20;

/** Waits for all, and then throws what the first to fail threw. */
export async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === "rejected") throw result.reason;
  }
}

function endsSession({ code }: TandemError): boolean {
  return code === "aborted" || code === "connect";
}
