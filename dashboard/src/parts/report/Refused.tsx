// Why a push became no version: the code, what it means, where, and what to do.
import { Alert, Stack, Text } from "@mantine/core";
import type { Push } from "../../api/types";
import { Copy } from "../Copy";
import { Words } from "../Words";
import { REFUSALS } from "./refusals";

export function Refused({ push }: { push: Push }) {
  const { error } = push;
  if (!error) return null;
  const words = REFUSALS[error.code];
  const failed = push.status === "failed";
  return (
    <Alert
      color={failed ? "yellow" : "red"}
      role="alert"
      title={
        failed ? "The server could not check it; the files are not at fault" : "Refused. Nothing was changed."
      }
    >
      <Stack gap={8}>
        {words && <Text size="sm">{words.means}</Text>}
        <Text size="sm">
          <Words text={sentence(error.message)} />
        </Text>
        {error.param && (
          <Text size="sm" component="div">
            Where: <code style={{ overflowWrap: "anywhere" }}>{error.param}</code>{" "}
            <Copy text={error.param} label="Copy the name" />
          </Text>
        )}
        <Text size="sm" fw={550}>
          {failed
            ? "Push it again; if that does not help, the operator looks at the log."
            : (words?.todo ?? "")}
        </Text>
        <Text size="xs" c="dimmed" component="div">
          Code <code>{error.code}</code>, push <code>{push.id}</code>
        </Text>
      </Stack>
    </Alert>
  );
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
