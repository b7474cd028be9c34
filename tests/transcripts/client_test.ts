/**
 * The transcripts of `client.json`, `tandem_client.json` and `secret_client.json` in
 * `tests/vectors/`, each in every way to answer.
 *
 * @module
 */

import { readVectors } from "../protocol/vectors.ts";
import { CLIENT_MEMBERS, type ClientTranscript, runClientTranscript } from "./client_run.ts";
import { transcriptTest } from "./transcript.ts";

for (const file of ["client.json", "tandem_client.json", "secret_client.json"]) {
  for (const transcript of readVectors<ClientTranscript>(file, CLIENT_MEMBERS)) {
    transcriptTest(transcript, "connect() plays", ">", (way) => runClientTranscript(transcript, way));
  }
}
