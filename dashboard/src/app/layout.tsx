// The frame of every page behind the sign-in: menu, who is signed in, the scheme's switch.
import { AppShell, Box, Burger, Group, NavLink, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useLocation, useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { useSession } from "../api/session";
import { Icon } from "../parts/Icon";
import { Account } from "./account";
import mark from "../assets/mark.svg";
import { leave } from "./leave";
import { menuOf } from "./navigation";

export function Layout() {
  const { session } = useSession();
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  useEffect(close, [pathname, close]);
  useExpiry(session.expires_at);

  return (
    <AppShell
      header={{ height: { base: 48, sm: 0 } }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "sm", sm: "lg" }}
    >
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <AppShell.Header hiddenFrom="sm" px="sm" bg="var(--panel)">
        <Group h="100%" gap="sm">
          <Burger opened={opened} onClick={toggle} size="sm" aria-label="Menu" />
          <Brand />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" bg="var(--panel)">
        <Box visibleFrom="sm" p="xs" pb="md">
          <Brand />
        </Box>
        <nav aria-label="Pages">
          {menuOf(session).map((item) => (
            <NavLink
              key={item.to}
              component={Link}
              to={item.to}
              label={item.label}
              leftSection={<Icon name={item.icon} />}
              active={item.to === "/" ? pathname === "/" : pathname.startsWith(item.to)}
              aria-current={pathname === item.to ? "page" : undefined}
              style={{ borderRadius: 6 }}
            />
          ))}
        </nav>
        <Box mt="auto">
          <Account session={session} />
        </Box>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} style={{ outline: "none" }}>
        <Box maw={1400} mx="auto">
          <Outlet />
        </Box>
      </AppShell.Main>
    </AppShell>
  );
}

function Brand() {
  return (
    <Group gap={8}>
      <img src={mark} alt="" width={22} height={22} />
      <Text fw={650} size="md">
        Tenora
      </Text>
    </Group>
  );
}

/** Longer waits than this overflow a timer and would end at once. */
const longestWait = 2 ** 31 - 1;

function useExpiry(at: number) {
  const router = useRouter();
  useEffect(() => {
    const wait = Math.min(Math.max(at * 1000 - Date.now(), 0), longestWait);
    const timer = setTimeout(() => void leave(router, "expired"), wait);
    return () => clearTimeout(timer);
  }, [at, router]);
}
