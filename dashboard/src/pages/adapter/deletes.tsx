// What ends for good, each asked for with its consequences.
import { List, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { api, data } from "../../api/client";
import type { AdapterVersion } from "../../api/types";
import { Confirm } from "../../parts/Confirm";
import { bytes } from "../../parts/format";
import { tellDone } from "../../parts/tell";
import { useRefresh } from "./useAdapter";

interface VersionProps {
  version: AdapterVersion;
  /** The aliases that name it now. */
  namedBy: string[];
  close: () => void;
}

export function DeleteVersion({ version, namedBy, close }: VersionProps) {
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: () => {
      const path = { name: version.name, version: String(version.version) };
      return data(api.DELETE("/v1/adapters/{name}/versions/{version}", { params: { path } }));
    },
    onSuccess: () => {
      tellDone(`${version.model} is deleted.`);
      refresh();
      close();
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={`Delete ${version.model}?`}
      action="Delete this version"
      type={version.model}
      pending={remove.isPending}
      error={remove.error}
      act={() => remove.mutate()}
    >
      {namedBy.length > 0 && (
        <Text size="sm" mb={6} fw={550}>
          {namedBy.map((name) => `@${name}`).join(", ")} {namedBy.length === 1 ? "names" : "name"} it: move{" "}
          {namedBy.length === 1 ? "that alias" : "those aliases"} first, or the server refuses.
        </Text>
      )}
      <List size="sm" spacing={4}>
        <List.Item>
          Its {bytes(version.bytes)} are deleted for good, unless another version has the same bytes.
        </List.Item>
        <List.Item>Requests for {version.model} are answered as if it never was: 404.</List.Item>
        <List.Item>Its number is never given again. Its usage and audit log stay.</List.Item>
      </List>
    </Confirm>
  );
}

export function DeleteAdapter({
  name,
  close,
  onDeleted,
}: {
  name: string;
  close: () => void;
  onDeleted: () => void;
}) {
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: () => data(api.DELETE("/v1/adapters/{name}", { params: { path: { name } } })),
    onSuccess: () => {
      tellDone(`${name} is deleted.`);
      onDeleted();
      refresh();
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={`Delete ${name}?`}
      action="Delete this adapter"
      type={name}
      pending={remove.isPending}
      error={remove.error}
      act={() => remove.mutate()}
    >
      <List size="sm" spacing={4}>
        <List.Item>
          All its versions are deleted with their bytes, and all its aliases. This cannot be undone.
        </List.Item>
        <List.Item>
          Requests that name it are answered 404 from now on. Keys restricted to it can use nothing.
        </List.Item>
        <List.Item>Its usage and audit log stay.</List.Item>
      </List>
    </Confirm>
  );
}

export function DeleteAlias({ name, alias, close }: { name: string; alias: string; close: () => void }) {
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: () =>
      data(api.DELETE("/v1/adapters/{name}/aliases/{alias}", { params: { path: { name, alias } } })),
    onSuccess: () => {
      tellDone(`${name}@${alias} is deleted.`);
      refresh();
      close();
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={`Delete ${name}@${alias}?`}
      action="Delete this alias"
      pending={remove.isPending}
      error={remove.error}
      act={() => remove.mutate()}
    >
      Requests for {name}@{alias} are answered 404 from now on, and its history is gone. The versions stay.
    </Confirm>
  );
}
