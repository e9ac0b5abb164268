// Resident, in Node. Takes as many calls at once as come (instances.concurrency).
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, input } = JSON.parse(line);
  const answer = (rest) => process.stdout.write(JSON.stringify({ id, ...rest }) + "\n");
  try {
    const text = await readFile(input ?? "/dev/null", "utf8");
    answer({ ok: true, result: text.toUpperCase() });
  } catch (error) {
    answer({ ok: false, error: String(error) });
  }
});
