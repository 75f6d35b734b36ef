// Short notes in the corner: what was done, and what failed, in the server's words.
import { notifications } from "@mantine/notifications";
import { ApiFailure } from "../api/client";

export function tellDone(message: string) {
  notifications.show({
    message,
    color: "teal",
    autoClose: 4000,
    closeButtonProps: { "aria-label": "Close" },
  });
}

export function tellFailure(error: unknown) {
  const id = error instanceof ApiFailure && error.requestId ? ` (${error.requestId})` : "";
  const message = error instanceof Error ? error.message + id : "Something went wrong.";
  notifications.show({
    message,
    color: "red",
    autoClose: 10_000,
    role: "alert",
    closeButtonProps: { "aria-label": "Close" },
  });
}
