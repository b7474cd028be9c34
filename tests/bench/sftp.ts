/**
 * An OpenSSH server of our own on loopback, with keys that go away with it, for
 * comparison: the same cipher as TLS uses here.
 *
 * @module
 */

const SSHD = "/usr/sbin/sshd";
const CIPHER = "aes128-gcm@openssh.com";

/** A server, and how its client fetches from it and stores to it. */
export interface Sftp extends AsyncDisposable {
  /** The command of the client. */
  readonly command: string;
  /** Its arguments for a batch of sftp's own commands in a file. */
  args(batchFile: string): string[];
}

/** Starts a server, with what it needs in `folder`; undefined where there is no OpenSSH or it may not be started. */
export async function startSftp(folder: string): Promise<Sftp | undefined> {
  try {
    Deno.statSync(SSHD);
    Deno.mkdirSync("/run/sshd", { recursive: true });
  } catch {
    return undefined;
  }
  const key = async (name: string) => {
    await output("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${folder}/${name}`]);
    return `${folder}/${name}`;
  };
  const [hostKey, userKey] = [await key("host_key"), await key("user_key")];
  Deno.copyFileSync(`${userKey}.pub`, `${folder}/authorized_keys`);
  const port = freePort();
  Deno.writeTextFileSync(
    `${folder}/sshd_config`,
    [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${folder}/authorized_keys`,
      `PidFile ${folder}/sshd.pid`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin yes",
      `Ciphers ${CIPHER}`,
      "Subsystem sftp internal-sftp",
      "",
    ].join("\n"),
  );
  const server = new Deno.Command(SSHD, {
    args: ["-D", "-f", `${folder}/sshd_config`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await untilOpen(port);
  return {
    command: "sftp",
    args: (batchFile) => [
      ...["-q", "-b", batchFile, "-P", String(port), "-i", userKey, "-c", CIPHER],
      ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "127.0.0.1"],
    ],
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await server.status;
    },
  };
}

async function output(command: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function untilOpen(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
