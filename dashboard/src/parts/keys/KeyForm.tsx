// A new key: what it is for, may do, and until when.
import { Button, Checkbox, Collapse, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { CreatedKey, NewKey, Scope } from "../../api/types";
import { ErrorLine } from "../ErrorLine";
import { LimitFields } from "../limits/LimitFields";
import { limitsOf, REQUEST_LIMITS, type Drafts } from "../limits/limits";
import { AdapterChoice } from "./AdapterChoice";
import { SCOPES, USUAL_SCOPES, type KeyRoutes } from "./routes";

interface Props {
  routes: KeyRoutes;
  /** What the maker may give on; a key never has more. */
  grantable: Scope[];
  close: () => void;
  onMade: (key: CreatedKey) => void;
}

const ENDS = [
  { value: "", label: "Never" },
  { value: "7", label: "In 7 days" },
  { value: "30", label: "In 30 days" },
  { value: "90", label: "In 90 days" },
  { value: "365", label: "In a year" },
];
const DAY_S = 86_400;

export function KeyForm({ routes, grantable, close, onMade }: Props) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(USUAL_SCOPES.filter((scope) => grantable.includes(scope)));
  const [days, setDays] = useState("");
  const [adapters, setAdapters] = useState<string[]>([]);
  const [drafts, setDrafts] = useState<Drafts>({});
  const [limited, { toggle }] = useDisclosure();
  const read = limitsOf(drafts);
  const ready = name.trim() !== "" && scopes.length > 0 && "limits" in read;
  const create = useMutation({ mutationFn: routes.create, onSuccess: onMade });

  const submit = () => {
    if (!ready) return;
    const body: NewKey = { name: name.trim(), scopes, limits: read.limits };
    if (adapters.length > 0) body.adapters = adapters;
    if (days !== "") body.expires_at = Math.floor(Date.now() / 1000) + Number(days) * DAY_S;
    create.mutate(body);
  };

  return (
    <Modal opened onClose={close} title="New key" size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Stack gap="md">
          <TextInput
            label="Name"
            description="What it is for, such as the service that will use it"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
            withAsterisk={false}
            data-autofocus
            autoComplete="off"
          />
          <Checkbox.Group label="Scopes" description="What it may do" value={scopes} onChange={setScopes}>
            <Stack gap={6} mt={6}>
              {SCOPES.filter(({ scope }) => grantable.includes(scope)).map(({ scope, means }) => (
                <Checkbox key={scope} size="xs" value={scope} label={scope} description={means} />
              ))}
            </Stack>
          </Checkbox.Group>
          <Select
            label="Ends"
            data={ENDS}
            value={days}
            onChange={(value) => setDays(value ?? "")}
            allowDeselect={false}
          />
          <AdapterChoice routes={routes} chosen={adapters} onChange={setAdapters} />
          <div>
            <Button variant="subtle" px={0} onClick={toggle} aria-expanded={limited}>
              {limited ? "Without own limits" : "Give it limits of its own"}
            </Button>
            <Collapse expanded={limited}>
              <Text size="xs" c="dimmed" mb="xs">
                Beside its tenant's: a request is charged at both.
              </Text>
              <LimitFields
                limits={REQUEST_LIMITS}
                drafts={drafts}
                unset="None"
                onChange={(limit, draft) => setDrafts((now) => ({ ...now, [limit]: draft }))}
              />
            </Collapse>
          </div>
          <ErrorLine error={create.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!ready} loading={create.isPending}>
              Create key
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
