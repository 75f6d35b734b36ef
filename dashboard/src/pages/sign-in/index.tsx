// The key is sent once, and kept by nobody: the browser gets a cookie that scripts cannot read.
import { Alert, Box, Button, Center, Group, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { sessionQuery, signIn } from "../../api/session";
import mark from "../../assets/mark.svg";
import { ErrorLine } from "../../parts/ErrorLine";
import { SchemeSwitch } from "../../parts/SchemeSwitch";

export function SignIn() {
  const { to, why } = useSearch({ from: "/sign-in" });
  const router = useRouter();
  const client = useQueryClient();
  const [key, setKey] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = "Sign in · Tenora";
    field.current?.focus();
  }, []);

  const enter = useMutation({
    mutationFn: () => signIn(key.trim()),
    onSuccess: (session) => {
      client.setQueryData(sessionQuery.queryKey, session);
      router.history.push(router.basepath + inside(to));
    },
  });

  return (
    <Center mih="100vh" p="md" component="main">
      <Box pos="absolute" top={12} right={12}>
        <SchemeSwitch />
      </Box>
      <Paper withBorder p="xl" w="100%" maw={400} radius="md">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            enter.mutate();
          }}
        >
          <Stack gap="md">
            <Group gap={10}>
              <img src={mark} alt="" width={28} height={28} />
              <Title order={1}>Sign in to Tenora</Title>
            </Group>
            {why === "expired" && !enter.isError && (
              <Alert color="yellow" p="xs">
                You were signed out: the session has ended, or its key no longer works. Sign in again to go
                on.
              </Alert>
            )}
            <PasswordInput
              label="Key"
              description="A tenant's API key (tk_…), or the operator's key"
              value={key}
              onChange={(event) => setKey(event.currentTarget.value)}
              autoComplete="off"
              spellCheck={false}
              visibilityToggleButtonProps={{ "aria-label": "Show or hide the key" }}
              ref={field}
              required
              withAsterisk={false}
            />
            <ErrorLine error={enter.error} />
            <Button type="submit" size="sm" fullWidth loading={enter.isPending}>
              Sign in
            </Button>
            <Text size="xs" c="dimmed">
              The key is checked once and not kept in this browser. A session lasts 12 hours.
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}

/** Only a path of this dashboard: an address from elsewhere would be somebody else's. */
function inside(to: string | undefined): string {
  return to?.startsWith("/") && !to.startsWith("//") && !to.includes("\\") ? to : "/";
}
