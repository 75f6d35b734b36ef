import { Button, Stack, Text } from "@mantine/core";
import { ApiFailure } from "../api/client";
import { Copy } from "./Copy";

/** What failed, in the server's words, with the request's id for the log, and a way to try again. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const failure = error instanceof ApiFailure ? error : null;
  // Asking again changes nothing about what may not be seen, or is not there.
  const again = failure?.status === 403 || failure?.status === 404 ? undefined : retry;
  const words = error instanceof Error ? error.message : "Something went wrong.";
  return (
    <Stack align="center" gap={8} py={40} px="md" ta="center" role="alert">
      <Text fw={550}>{titleOf(failure)}</Text>
      <Text size="sm" c="dimmed" maw={520}>
        {words}
      </Text>
      {failure?.requestId && (
        <Text component="div" size="xs" c="dimmed">
          Request <code>{failure.requestId}</code>{" "}
          <Copy text={failure.requestId} label="Copy the request's id" />
        </Text>
      )}
      {again && (
        <Button variant="default" onClick={again} mt={4}>
          Try again
        </Button>
      )}
    </Stack>
  );
}

function titleOf(failure: ApiFailure | null): string {
  if (failure === null) return "The page has a fault";
  if (failure.status === 0) return "No connection";
  if (failure.status === 403) return "Not allowed";
  if (failure.status === 404) return "Not found";
  return failure.passing ? "The server cannot answer now" : "The server refused";
}
