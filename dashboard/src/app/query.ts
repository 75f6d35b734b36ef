// What is asked of the server, kept for a few seconds, and asked again after trouble that passes.
import { QueryClient } from "@tanstack/react-query";
import { ApiFailure } from "../api/client";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (count, error) => count < 2 && error instanceof ApiFailure && error.passing,
    },
  },
});
