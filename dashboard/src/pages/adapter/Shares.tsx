import { Group, Progress, Text } from "@mantine/core";
import { percentOf, shareOf, type Target } from "./targets";

const COLOURS = ["indigo.6", "teal.6", "orange.6", "grape.6", "cyan.6", "lime.6", "pink.6", "gray.6"];

/** How requests are shared, as a bar and in words. */
export function Shares({ targets }: { targets: Target[] }) {
  return (
    <div>
      <Progress.Root size="sm" aria-hidden="true">
        {targets.map((target, index) => (
          <Progress.Section
            key={target.version}
            value={shareOf(target, targets) * 100}
            color={COLOURS[index % COLOURS.length] ?? "gray.6"}
            withAria={false}
          />
        ))}
      </Progress.Root>
      <Group gap="md" mt={4}>
        {targets.map((target) => (
          <Text key={target.version} size="xs" className="num">
            @{target.version} {percentOf(target, targets)}
          </Text>
        ))}
      </Group>
    </div>
  );
}
