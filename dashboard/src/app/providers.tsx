import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { queryClient } from "./query";
import { router } from "./router";
import { theme } from "./theme";

export function Providers() {
  return (
    <QueryClientProvider client={queryClient}>
      {/* `auto` follows the system until the viewer chooses; the choice is kept in localStorage. */}
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <Notifications position="bottom-right" limit={4} />
        <RouterProvider router={router} />
      </MantineProvider>
    </QueryClientProvider>
  );
}
