/**
 * The transcripts of `tests/vectors/client.json`, each in every way to answer.
 *
 * @module
 */

import { readVectors } from "../protocol/vectors.ts";
import { CLIENT_MEMBERS, type ClientTranscript, runClientTranscript } from "./client_run.ts";
import { transcriptTest } from "./transcript.ts";

for (const transcript of readVectors<ClientTranscript>("client.json", CLIENT_MEMBERS)) {
  transcriptTest(transcript, "connect() plays", ">", (way) => runClientTranscript(transcript, way));
}
