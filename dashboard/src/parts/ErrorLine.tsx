import { Alert } from "@mantine/core";
import { ApiFailure } from "../api/client";

/** A failure inside a form: the server's words and the request's id. Nothing while there is none. */
export function ErrorLine({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  const id = error instanceof ApiFailure ? error.requestId : null;
  return (
    <Alert color="red" role="alert" p="xs">
      {error instanceof Error ? error.message : "Something went wrong."}
      {id !== null && <div className="mono">{id}</div>}
    </Alert>
  );
}
