// Tests of a file that build upon each other: after one has failed, the rest says so instead of waiting in vain.
import path from "node:path";
import { tmpdir } from "node:os";
import { test } from "node:test";

/** `page()` is photographed where a step fails. */
export function steps(page) {
  let failed = null;
  return (name, step) =>
    test(name, async (context) => {
      if (failed) return context.skip(`after "${failed}"`);
      try {
        await step(context);
      } catch (error) {
        failed = name;
        const picture = path.join(tmpdir(), `tenora-dashboard-${process.pid}.png`);
        await page()
          ?.screenshot({ path: picture })
          .catch(() => undefined);
        console.error(`"${name}" failed; the page is at ${picture}, with the address ${page()?.url()}`);
        throw error;
      }
    });
}
