import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Icon } from "./Icon";

/** Between light and dark; what is chosen is remembered, and until then the system decides. */
export function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const other =
    useComputedColorScheme("light", { getInitialValueInEffect: false }) === "dark" ? "light" : "dark";
  const label = other === "dark" ? "Use dark colours" : "Use light colours";
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={() => setColorScheme(other)}>
        <Icon name={other === "dark" ? "moon" : "sun"} />
      </ActionIcon>
    </Tooltip>
  );
}
