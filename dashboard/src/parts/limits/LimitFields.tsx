// Limits, each with what it means: the default, a number, or none.
import { SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import type { Limits } from "../../api/types";
import { defaultText, fault, type Draft, type Drafts, type LimitName, REQUEST_LIMITS } from "./limits";
import classes from "./limits.module.css";

interface Props {
  limits: typeof REQUEST_LIMITS;
  drafts: Drafts;
  /** What holds where nothing is set: "Server default" of a tenant, "No own limit" of a key. */
  unset: string;
  /** What the server's own limits are, where those hold while nothing is set. */
  defaults?: Limits | undefined;
  onChange: (name: LimitName, draft: Draft) => void;
}

const UNSET: Draft = { kind: "default", text: "" };

export function LimitFields({ limits, drafts, unset, defaults, onChange }: Props) {
  const kinds = [
    { value: "default", label: unset },
    { value: "number", label: "Number" },
    { value: "unlimited", label: "Unlimited" },
  ];
  return (
    <Stack gap="md">
      {limits.map((limit) => {
        const draft = drafts[limit.name] ?? UNSET;
        return (
          <div key={limit.name} className={classes.limit} role="group" aria-label={limit.label}>
            <div>
              <Text size="sm" fw={550}>
                {limit.label}
              </Text>
              <Text size="xs" c="dimmed">
                {limit.means}
              </Text>
              {defaults && <Text size="xs">{defaultText(limit, defaults)}</Text>}
            </div>
            <SegmentedControl
              size="xs"
              data={kinds}
              value={draft.kind}
              aria-label={`${limit.label}: kind of limit`}
              onChange={(kind) => onChange(limit.name, { ...draft, kind: kind as Draft["kind"] })}
            />
            <TextInput
              size="xs"
              className="num"
              aria-label={`${limit.label}: number`}
              placeholder={limit.bytes ? "10 GiB" : "Number"}
              style={{ visibility: draft.kind === "number" ? "visible" : "hidden" }}
              value={draft.text}
              error={draft.text !== "" && fault(limit, draft)}
              onChange={(event) => onChange(limit.name, { ...draft, text: event.currentTarget.value })}
            />
          </div>
        );
      })}
    </Stack>
  );
}
